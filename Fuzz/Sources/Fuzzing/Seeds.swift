internal import Domain
internal import Interactions
internal import Wire
internal import Transformer
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Inputs that each target accepts, to begin from.
enum Seeds {
    static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// The file that `write` makes.
    static func file(_ write: (String) throws -> Void) -> [UInt8] {
        var content: [UInt8] = []
        _ = Scratch.with([UInt8]()) { path in
            guard (try? write(path)) != nil, let data = FileManager.default.contents(atPath: path) else {
                fatalError("a seed cannot be made")
            }
            content = Array(data)
            return true
        }
        return content
    }

    static func frame(_ text: String) -> [UInt8] {
        withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { Array($0) } + Array(text.utf8)
    }

    static let tables = [
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t5\t3\t881250949\n2\t6\t4\t881250950\n1\t6\t1\t881250951\n",
        "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179\n7,31,3.0,1260759182\n",
        "\u{FEFF}user;item;date\n\"a\";\"x;\"\"y\";2010-12-01 08:26:00\nb;z;2010-12-01T08:26:00.5+05:30\n",
        "user,item,event_type,stars,domain,timestamp\n1,5,view,4,a,881250949\n1,5,buy,,b,881250950\n2,6,,2.5,a,881250951\n",
        "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978302110\n",
        "u1 i1 i2 i3 i1\nu2 i2\nu3 i9 i1 i2 i3 i4\n", "1 2\n1 3\n2 2\n",
        "a|b|978300760\na|c|978300761\nb|b|978300799\r\n",
        "1\t2\t1378300760000\n1\t3\t1378300760001\n2\t3\t1378300760002\n",
        "{\"user\":1,\"item\":\"a\\u0041\",\"time\":1378300760.5}\n{\"user\":2,\"item\":\"b\",\"time\":1378300761}\n",
        "{\"session\":1,\"events\":[{\"aid\":7,\"ts\":1378300760000},{\"aid\":8,\"ts\":1378300760001}]}\n",
        "user_id,item_ids\nu1,\"[1, 2, 3]\"\nu2,\"['a', 'b']\"\n",
        "user,item,date\nu1,\"a\n\"\"b\"\"\",31/12/2010 8:26 PM\nu1,c,\"Wed Dec 01 08:26:00 +0000 2010\"\nu1,d,01/02/2010\n",
    ]

    static let observations = [
        "layers,dim,hr@10,ndcg@10\n1,16,0.1,0.05\n2,32,0.12,0.06\n",
        "backbone,loss,layers,dim,heads,max_length,tokens,apen,seed,split,mask,users,hr@10,hr@10_se,ndcg@10,status,source\n"
            + "sasrec,cce,2,64,2,50,10000,0.45,1,loo,full,943,0.12,0.01,0.06,converged,\"a, \"\"b\"\"\"\n"
            + "gpt,cce,3,64,2,50,10000,0.45,1,loo,full,943,,,,diverged,\r\n",
    ]

    private static func members<M: RPCMethod>(_ method: M.Type) -> String {
        M.Params.fields.contains("name") ? #""name":"demo""# : M.Params.fields.contains("id") ? #""id":1"# : ""
    }

    /// One request for each method, with the parameters that the types give an example of.
    static let requests =
        Catalog.methods.map { #"{"jsonrpc":"2.0","id":1,"method":"\#($0.name)","params":{\#(members($0))}}"# }
        + [
            #"[{"jsonrpc":"2.0","id":"a","method":"job.get","params":{"id":1}},{"jsonrpc":"2.0","method":"job.list"}]"#,
            #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#,
            #"{"jsonrpc":"2.0","id":2,"method":"dataset.register","params":{"name":"d","path":"/x","options":{"columns":{"user":"0"},"kCore":5,"deduplicate":"rows"},"mask":"full","maxLength":50}}"#,
            #"{"jsonrpc":"2.0","id":3,"method":"advisor.recommend","params":{"name":"d","metric":"ndcg@10","loss":"cce"}}"#,
            #"{"jsonrpc":"2.0","id":4,"method":"law.predict","params":{"name":"d","layers":2,"dim":64}}"#,
            #"{"jsonrpc":"2.0","id":5,"method":"observation.import","params":{"name":"d","text":"layers,dim","columns":{"mask":"full"}}}"#,
        ]
}

extension FuzzTarget {
    /// Inputs that `read` accepts, but for those that a target is to refuse in many ways.
    package var seeds: [[UInt8]] {
        switch self {
        case .frames:
            [1, 5, 63].map { [$0] + Seeds.frame(Seeds.requests[0]) + Seeds.frame("{}") + [0, 0, 0, 9, 1] }
        case .requests: Seeds.requests.map { Array($0.utf8) }
        case .interactions: Seeds.tables.map { Array($0.utf8) }
        case .corpus:
            Seeds.tables.prefix(5).map { text in
                Seeds.file { path in
                    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                    _ = try InteractionReader(path: path, options: ReadOptions()).buildCorpus(at: path)
                }
            }
        case .ranks:
            [Seeds.file { try Ranks(users: [0, 1, 5], validation: [1, 2, 3], test: [9, 1, 400]).write(to: $0) }]
        case .checkpoint:
            [
                Seeds.file {
                    try Checkpoint.write(
                        TrainingPosition(), FuzzModel.buffers(), identity: FuzzModel.identity, to: $0)
                }
            ]
        case .weights: [Seeds.file { try WeightsFile.write(FuzzModel.model(), to: $0) }]
        case .observations: Seeds.observations.map { Array($0.utf8) }
        case .specs: FuzzSpecs.seeds
        }
    }
}
