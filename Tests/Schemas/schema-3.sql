BEGIN TRANSACTION;
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    corpusFile TEXT NOT NULL,
    info TEXT NOT NULL
) STRICT;
INSERT INTO "dataset" VALUES(1,'books','62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704','books.7a1a3a70.corpus','{"corpusBytes":2320,"createdAt":"2026-11-21T20:38:39Z","decision":{"columns":{"item":"1","user":"0"},"compression":"none","format":"pairs","hasHeader":false,"timeUnit":"file order"},"entropy":{"compressionRatio":0.18688524590163935,"effectiveTokens":203.768490232456,"lempelZiv":2.0405790548131706,"notes":["from m = 2 on more than half of the contexts occur once: pooled ApEn is biased low there","from m = 8 on every context occurs once: pooled ApEn is 0 there because nothing recurs, not because the next item is certain"],"perUserApEn":{"m":2,"maxLength":50,"mean":0.13393542264661465,"r":0.2,"tooShort":0,"users":40},"pooledApEn":[{"biasCorrected":3.129291712224301,"m":0,"singletonShare":0,"value":3.089947449929219},{"biasCorrected":1.0305345786173026,"m":1,"singletonShare":0.04,"value":0.9078930691833403},{"biasCorrected":0.693305480772099,"m":2,"singletonShare":0.5822784810126582,"value":0.5888610363276545},{"biasCorrected":0.44418757813352644,"m":3,"singletonShare":0.6923076923076923,"value":0.36310649705244535},{"biasCorrected":0.2299650754462713,"m":4,"singletonShare":0.8411214953271028,"value":0.18513748923937473},{"biasCorrected":0.15692046904837156,"m":5,"singletonShare":0.8636363636363636,"value":0.11882523095313346},{"biasCorrected":0.052397065586663634,"m":6,"singletonShare":0.9558823529411765,"value":0.038508176697774746},{"biasCorrected":0,"m":7,"singletonShare":0.9811320754716981,"value":0},{"biasCorrected":0,"m":8,"singletonShare":1,"value":0}],"shannonBits":4.457851862620383,"tokens":185},"fileName":"data.txt","interactions":305,"items":25,"mask":"none","name":"books","options":{},"statistics":{"contentHash":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","dropped":[],"evaluatedUsers":40,"interactions":305,"items":25,"lengthQuartiles":[5,6,6,8,21],"outOfOrderRows":0,"repeatedShare":0.6229508196721312,"rows":305,"users":40},"users":40,"version":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704"}');
INSERT INTO "dataset" VALUES(2,'elsewhere','','','{"corpusBytes":0,"createdAt":"2026-11-21T20:38:46Z","fileName":"t.csv","name":"elsewhere","options":{},"version":""}');
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO "grdb_migrations" VALUES('1-datasets-jobs-laws');
INSERT INTO "grdb_migrations" VALUES('2-latency');
INSERT INTO "grdb_migrations" VALUES('3-timings');
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    createdAt TEXT NOT NULL,
    endedAt TEXT,
    budgetSeconds REAL NOT NULL,
    activeSeconds REAL NOT NULL DEFAULT 0,
    workers INTEGER NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0,
    message TEXT,
    laws TEXT NOT NULL DEFAULT '[]'
) STRICT;
INSERT INTO "job" VALUES(1,1,'calibration','finished','2026-11-21T20:38:44Z','2026-11-21T20:38:46Z',60.0,1.565113119,1,11,NULL,'[1,2]');
CREATE TABLE latency (
    id INTEGER PRIMARY KEY,
    backbone TEXT NOT NULL,
    heads INTEGER NOT NULL,
    layers INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    items INTEGER NOT NULL,
    length INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (backbone, heads, layers, dim, items, length)
) STRICT;
INSERT INTO "latency" VALUES(1,'sasrec',2,1,16,25,20,'{"backbone":"sasrec","bodySeconds":3.4749999999958425e-06,"dim":16,"headSeconds":7.220000000016102e-07,"heads":2,"items":25,"layers":1,"length":20,"p50Seconds":4.196000000004918e-06,"p95Seconds":4.397000000003204e-06,"requests":709}');
INSERT INTO "latency" VALUES(2,'sasrec',2,4,16,25,20,'{"backbone":"sasrec","bodySeconds":1.696500000000073e-05,"dim":16,"headSeconds":7.919999999994598e-07,"heads":2,"items":25,"layers":4,"length":20,"p50Seconds":1.775700000000019e-05,"p95Seconds":1.800700000000044e-05,"requests":157}');
INSERT INTO "latency" VALUES(3,'sasrec',2,1,64,25,20,'{"backbone":"sasrec","bodySeconds":6.720000000001725e-06,"dim":64,"headSeconds":7.909999999999862e-07,"heads":2,"items":25,"layers":1,"length":20,"p50Seconds":7.512000000001184e-06,"p95Seconds":7.621999999998796e-06,"requests":417}');
INSERT INTO "latency" VALUES(4,'sasrec',2,4,64,25,20,'{"backbone":"sasrec","bodySeconds":4.998499999999545e-05,"dim":64,"headSeconds":1.212000000000435e-06,"heads":2,"items":25,"layers":4,"length":20,"p50Seconds":5.1205999999998086e-05,"p95Seconds":0.00011290900000000131,"requests":61}');
INSERT INTO "latency" VALUES(5,'sasrec',2,2,128,25,20,'{"backbone":"sasrec","bodySeconds":6.378499999999676e-05,"dim":128,"headSeconds":1.4829999999965704e-06,"heads":2,"items":25,"layers":2,"length":20,"p50Seconds":6.526800000000027e-05,"p95Seconds":0.00014052900000000035,"requests":63}');
INSERT INTO "latency" VALUES(6,'sasrec',2,1,256,25,20,'{"backbone":"sasrec","bodySeconds":9.331900000000143e-05,"dim":256,"headSeconds":1.9029999999975455e-06,"heads":2,"items":25,"layers":1,"length":20,"p50Seconds":9.505200000000519e-05,"p95Seconds":0.0001390070000000035,"requests":21}');
INSERT INTO "latency" VALUES(7,'sasrec',2,2,64,6,10,'{"backbone":"sasrec","bodySeconds":1.493200000000916e-05,"dim":64,"headSeconds":6.810000000023742e-07,"heads":2,"items":6,"layers":2,"length":10,"p50Seconds":1.5612999999997657e-05,"p95Seconds":1.5713000000000532e-05,"requests":152}');
INSERT INTO "latency" VALUES(8,'sasrec',2,2,64,6,40,'{"backbone":"sasrec","bodySeconds":3.555299999999373e-05,"dim":64,"headSeconds":7.110000000004613e-07,"heads":2,"items":6,"layers":2,"length":40,"p50Seconds":3.626399999999419e-05,"p95Seconds":3.71160000000037e-05,"requests":152}');
INSERT INTO "latency" VALUES(9,'sasrec',2,4,128,25,20,'{"backbone":"sasrec","bodySeconds":0.00015844599999999265,"dim":128,"headSeconds":1.6030000000027966e-06,"heads":2,"items":25,"layers":4,"length":20,"p50Seconds":0.000159917999999995,"p95Seconds":0.00035435899999999854,"requests":21}');
INSERT INTO "latency" VALUES(10,'sasrec',2,4,256,25,20,'{"backbone":"sasrec","bodySeconds":0.0013421120000000064,"dim":256,"headSeconds":7.271000000003136e-06,"heads":2,"items":25,"layers":4,"length":20,"p50Seconds":0.0013458169999999992,"p95Seconds":0.002004429000000002,"requests":21}');
INSERT INTO "latency" VALUES(11,'sasrec',2,1,512,25,20,'{"backbone":"sasrec","bodySeconds":0.0006599740000000076,"dim":512,"headSeconds":4.9280000000151425e-06,"heads":2,"items":25,"layers":1,"length":20,"p50Seconds":0.0006639100000000175,"p95Seconds":0.0016166309999999795,"requests":21}');
CREATE TABLE law (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    metric TEXT NOT NULL,
    loss TEXT NOT NULL,
    createdAt TEXT NOT NULL,
    current INTEGER NOT NULL,
    fit TEXT NOT NULL
) STRICT;
INSERT INTO "law" VALUES(1,1,'{"backbone":"sasrec","candidates":"all","codeVersion":"3","datasetVersion":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=2 epochs<=2","split":"leave-two-out"}','hr@10','cce','2026-11-21T20:38:46Z',1,'{}');
INSERT INTO "law" VALUES(2,1,'{"backbone":"sasrec","candidates":"all","codeVersion":"3","datasetVersion":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=2 epochs<=2","split":"leave-two-out"}','ndcg@10','cce','2026-11-21T20:38:46Z',1,'{}');
CREATE TABLE observation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
    trialId INTEGER UNIQUE REFERENCES trial(id) ON DELETE SET NULL,
    loss TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
INSERT INTO "observation" VALUES(1,1,1,'cce','{"apen":0.9078930691833403,"configuration":{"backbone":"sasrec","dim":4,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"dataset":"books","epochs":2,"id":0,"job":1,"key":{"backbone":"sasrec","candidates":"all","codeVersion":"3","datasetVersion":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=2 epochs<=2","split":"leave-two-out"},"metrics":{"hr@1":{"standardError":0.05717718748968655,"value":0.15},"hr@10":{"standardError":0.07844645405527362,"value":0.6},"hr@20":{"standardError":0.05295740910852021,"value":0.875},"hr@5":{"standardError":0.07996393417804534,"value":0.475},"mrr@10":{"standardError":0.05550869213259712,"value":0.2941468253968254},"ndcg@1":{"standardError":0.05717718748968655,"value":0.15},"ndcg@10":{"standardError":0.05714132298543989,"value":0.36760635985911216},"ndcg@20":{"standardError":0.047611740190685745,"value":0.4388784024633436},"ndcg@5":{"standardError":0.06041186977127428,"value":0.3267472766341793}},"seconds":0.034825892000000004,"seed":3,"tokens":185,"trial":1,"userFraction":1,"users":40}');
INSERT INTO "observation" VALUES(2,1,2,'cce','{"apen":0.9078930691833403,"configuration":{"backbone":"sasrec","dim":8,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"dataset":"books","epochs":2,"id":0,"job":1,"key":{"backbone":"sasrec","candidates":"all","codeVersion":"3","datasetVersion":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=2 epochs<=2","split":"leave-two-out"},"metrics":{"hr@1":{"standardError":0.07996393417804534,"value":0.475},"hr@10":{"standardError":0.07149950690165273,"value":0.725},"hr@20":{"standardError":0.04217636961434866,"value":0.925},"hr@5":{"standardError":0.07637626158259733,"value":0.65},"mrr@10":{"standardError":0.07290063163125864,"value":0.533125},"ndcg@1":{"standardError":0.07996393417804534,"value":0.475},"ndcg@10":{"standardError":0.06897614296861712,"value":0.5778394545408376},"ndcg@20":{"standardError":0.05942918333298782,"value":0.627945280921779},"ndcg@5":{"standardError":0.072497978754372,"value":0.5538210322855466}},"seconds":0.000878561,"seed":3,"tokens":185,"trial":2,"userFraction":1,"users":40}');
INSERT INTO "observation" VALUES(3,1,3,'cce','{"apen":0.9078930691833403,"configuration":{"backbone":"sasrec","dim":16,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"dataset":"books","epochs":2,"id":0,"job":1,"key":{"backbone":"sasrec","candidates":"all","codeVersion":"3","datasetVersion":"62da57c1c9678e85d089beb707e5893c09bad383c28b8cf24c372ecf5770f704","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=2 epochs<=2","split":"leave-two-out"},"metrics":{"hr@1":{"standardError":0.07844645405527362,"value":0.6},"hr@10":{"standardError":0.06933752452815364,"value":0.75},"hr@20":{"standardError":0.04217636961434866,"value":0.925},"hr@5":{"standardError":0.07637626158259733,"value":0.65},"mrr@10":{"standardError":0.07375992788812188,"value":0.6297519841269841},"ndcg@1":{"standardError":0.07844645405527362,"value":0.6},"ndcg@10":{"standardError":0.07020372176367222,"value":0.6567160190563255},"ndcg@20":{"standardError":0.060761629708346136,"value":0.7002939423348893},"ndcg@5":{"standardError":0.07553438401081194,"value":0.6254445640201499}},"seconds":0.030630705,"seed":3,"tokens":185,"trial":3,"userFraction":1,"users":40}');
INSERT INTO "observation" VALUES(5,2,NULL,'cce','{"apen":2.9,"configuration":{"backbone":"sasrec","dim":16,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"dataset":"elsewhere","epochs":80,"id":0,"key":{"backbone":"sasrec","candidates":"","codeVersion":"","datasetVersion":"","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"heads=2","split":""},"metrics":{"hr@10":{"standardError":0.030000000000000002,"value":0.1},"ndcg@10":{"value":0.05}},"seconds":0,"seed":1,"tokens":1280,"userFraction":1,"users":100}');
INSERT INTO "observation" VALUES(6,2,NULL,'cce','{"apen":2.9,"configuration":{"backbone":"sasrec","dim":16,"heads":2,"layers":2,"loss":"cce","maxLength":50},"converged":true,"dataset":"elsewhere","epochs":80,"id":0,"key":{"backbone":"sasrec","candidates":"","codeVersion":"","datasetVersion":"","loss":"cce","mask":"none","maxLength":50,"negatives":0,"policy":"heads=2","split":""},"metrics":{"hr@10":{"standardError":0.03128897569432403,"value":0.11},"ndcg@10":{"value":0.06}},"seconds":0,"seed":1,"tokens":1280,"userFraction":1,"users":100}');
CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
    setting TEXT NOT NULL,
    layers INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (datasetId, setting, layers, dim)
) STRICT;
INSERT INTO "probe" VALUES(1,1,'sasrec cce L50 h2 b256 n1',1,4,'{"dim":4,"evaluatedUsersPerSecond":183483.30965215634,"heads":2,"latencySeconds":4.176e-06,"layers":1,"memoryBytes":17674736,"parameters":552,"tokensPerSecond":190234.91117709572}');
INSERT INTO "probe" VALUES(2,1,'sasrec cce L50 h2 b256 n1',1,16,'{"dim":16,"evaluatedUsersPerSecond":205069.8096687669,"heads":2,"latencySeconds":3.946e-06,"layers":1,"memoryBytes":18005600,"parameters":4512,"tokensPerSecond":113679.90631664937}');
INSERT INTO "probe" VALUES(3,1,'sasrec cce L50 h2 b256 n1',1,32,'{"dim":32,"evaluatedUsersPerSecond":80220.53224604133,"heads":2,"latencySeconds":4.858000000000001e-06,"layers":1,"memoryBytes":18554272,"parameters":15168,"tokensPerSecond":51896.736927447855}');
CREATE TABLE timing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
    trialId INTEGER UNIQUE REFERENCES trial(id) ON DELETE SET NULL,
    backbone TEXT NOT NULL,
    loss TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
INSERT INTO "timing" VALUES(1,1,1,'sasrec','cce','{"atOnce":1,"batchUsers":256,"configuration":{"backbone":"sasrec","dim":4,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"epochs":2,"negatives":1,"seconds":0.034825892000000004,"secondsPerEpoch":0.00019564200000000002,"secondsPerValidation":7.13415e-05,"threads":1,"tokens":185,"userFraction":1,"users":40}');
INSERT INTO "timing" VALUES(2,1,2,'sasrec','cce','{"atOnce":1,"batchUsers":256,"configuration":{"backbone":"sasrec","dim":8,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"epochs":2,"negatives":1,"seconds":0.000878561,"secondsPerEpoch":0.00018732400000000002,"secondsPerValidation":6.36595e-05,"threads":1,"tokens":185,"userFraction":1,"users":40}');
INSERT INTO "timing" VALUES(3,1,3,'sasrec','cce','{"atOnce":1,"batchUsers":256,"configuration":{"backbone":"sasrec","dim":16,"heads":2,"layers":1,"loss":"cce","maxLength":50},"converged":true,"epochs":2,"negatives":1,"seconds":0.030630705,"secondsPerEpoch":0.000314684,"secondsPerValidation":0.00010051,"threads":1,"tokens":185,"userFraction":1,"users":40}');
CREATE TABLE trial (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    jobId INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    spec TEXT NOT NULL,
    predictedSeconds REAL NOT NULL,
    predictedEpochs REAL NOT NULL,
    seconds REAL NOT NULL DEFAULT 0,
    result TEXT,
    message TEXT
, predictedLogDeviation REAL) STRICT;
INSERT INTO "trial" VALUES(1,1,1,'finished','{"checkpointSeconds":10,"configuration":{"backbone":"sasrec","dim":4,"heads":2,"layers":1,"loss":"cce","maxLength":50},"corpus":"/var/lib/plawd/corpora/books.7a1a3a70.corpus","mask":"none","options":{"batchUsers":256,"beta1":0.9,"beta2":0.999,"calibration":0.75,"clipNorm":0,"dropout":0.5,"epsilon":1e-08,"initialDeviation":0.02,"itemUpdate":"sparse","learningRate":0.001,"maxEpochs":2,"negatives":1,"patience":2,"sampling":"popularity","schedule":"constant","scheduleEpochs":0,"stopMetric":"ndcg@10","warmup":0,"weightDecay":0,"widthRule":"plain"},"seed":3,"threads":1,"userFraction":1}',3.02816977636714113053e-01,2.0,3.48258920000000041228e-02,'{"bestEpoch":2,"epochs":2,"parameters":552,"peakMemoryBytes":18284544,"seconds":0.034825892000000004,"secondsPerEpoch":0.00019564200000000002,"secondsPerValidation":7.13415e-05,"status":"converged","test":{"hr@1":{"standardError":0.05717718748968655,"value":0.15},"hr@10":{"standardError":0.07844645405527362,"value":0.6},"hr@20":{"standardError":0.05295740910852021,"value":0.875},"hr@5":{"standardError":0.07996393417804534,"value":0.475},"mrr@10":{"standardError":0.05550869213259712,"value":0.2941468253968254},"ndcg@1":{"standardError":0.05717718748968655,"value":0.15},"ndcg@10":{"standardError":0.05714132298543989,"value":0.36760635985911216},"ndcg@20":{"standardError":0.047611740190685745,"value":0.4388784024633436},"ndcg@5":{"standardError":0.06041186977127428,"value":0.3267472766341793}},"tokens":185,"tokensPerSecond":945604.7270013596,"users":40,"validation":{"hr@1":{"standardError":0.04217636961434867,"value":0.075},"hr@10":{"standardError":0.0791582316693952,"value":0.575},"hr@20":{"standardError":0.0608434308444476,"value":0.825},"hr@5":{"standardError":0.07637626158259733,"value":0.35},"mrr@10":{"standardError":0.04478563283416988,"value":0.20577380952380953},"ndcg@1":{"standardError":0.04217636961434867,"value":0.075},"ndcg@10":{"standardError":0.04854193248706034,"value":0.2916713259550188},"ndcg@20":{"standardError":0.04124133262452968,"value":0.3587080470963751},"ndcg@5":{"standardError":0.05206158680247873,"value":0.22020078895560635}}}',NULL,1.10066764578917930528e+00);
INSERT INTO "trial" VALUES(2,1,2,'finished','{"checkpointSeconds":10,"configuration":{"backbone":"sasrec","dim":8,"heads":2,"layers":1,"loss":"cce","maxLength":50},"corpus":"/var/lib/plawd/corpora/books.7a1a3a70.corpus","mask":"none","options":{"batchUsers":256,"beta1":0.9,"beta2":0.999,"calibration":0.75,"clipNorm":0,"dropout":0.5,"epsilon":1e-08,"initialDeviation":0.02,"itemUpdate":"sparse","learningRate":0.001,"maxEpochs":2,"negatives":1,"patience":2,"sampling":"popularity","schedule":"constant","scheduleEpochs":0,"stopMetric":"ndcg@10","warmup":0,"weightDecay":0,"widthRule":"plain"},"seed":3,"threads":1,"userFraction":1}',3.02993443622679492488e-01,2.0,0.000878561,'{"bestEpoch":2,"epochs":2,"parameters":1488,"peakMemoryBytes":18305024,"seconds":0.000878561,"secondsPerEpoch":0.00018732400000000002,"secondsPerValidation":6.36595e-05,"status":"converged","test":{"hr@1":{"standardError":0.07996393417804534,"value":0.475},"hr@10":{"standardError":0.07149950690165273,"value":0.725},"hr@20":{"standardError":0.04217636961434866,"value":0.925},"hr@5":{"standardError":0.07637626158259733,"value":0.65},"mrr@10":{"standardError":0.07290063163125864,"value":0.533125},"ndcg@1":{"standardError":0.07996393417804534,"value":0.475},"ndcg@10":{"standardError":0.06897614296861712,"value":0.5778394545408376},"ndcg@20":{"standardError":0.05942918333298782,"value":0.627945280921779},"ndcg@5":{"standardError":0.072497978754372,"value":0.5538210322855466}},"tokens":185,"tokensPerSecond":987593.6879417478,"users":40,"validation":{"hr@1":{"standardError":0.0791582316693952,"value":0.425},"hr@10":{"standardError":0.07149950690165273,"value":0.725},"hr@20":{"standardError":0.05295740910852021,"value":0.875},"hr@5":{"standardError":0.07966275068156915,"value":0.55},"mrr@10":{"standardError":0.07317398887440825,"value":0.47548611111111105},"ndcg@1":{"standardError":0.0791582316693952,"value":0.425},"ndcg@10":{"standardError":0.06822543662173408,"value":0.5314022963161145},"ndcg@20":{"standardError":0.06197831618107965,"value":0.5687072001234685},"ndcg@5":{"standardError":0.0749895986579914,"value":0.4772808744944255}}}',NULL,0.971944932006847);
INSERT INTO "trial" VALUES(3,1,3,'finished','{"checkpointSeconds":10,"configuration":{"backbone":"sasrec","dim":16,"heads":2,"layers":1,"loss":"cce","maxLength":50},"corpus":"/var/lib/plawd/corpora/books.7a1a3a70.corpus","mask":"none","options":{"batchUsers":256,"beta1":0.9,"beta2":0.999,"calibration":0.75,"clipNorm":0,"dropout":0.5,"epsilon":1e-08,"initialDeviation":0.02,"itemUpdate":"sparse","learningRate":0.001,"maxEpochs":2,"negatives":1,"patience":2,"sampling":"popularity","schedule":"constant","scheduleEpochs":0,"stopMetric":"ndcg@10","warmup":0,"weightDecay":0,"widthRule":"plain"},"seed":3,"threads":1,"userFraction":1}',3.0403497497013071138e-01,2.0,0.030630705,'{"bestEpoch":2,"epochs":2,"parameters":4512,"peakMemoryBytes":18501632,"seconds":0.030630705,"secondsPerEpoch":0.000314684,"secondsPerValidation":0.00010051,"status":"converged","test":{"hr@1":{"standardError":0.07844645405527362,"value":0.6},"hr@10":{"standardError":0.06933752452815364,"value":0.75},"hr@20":{"standardError":0.04217636961434866,"value":0.925},"hr@5":{"standardError":0.07637626158259733,"value":0.65},"mrr@10":{"standardError":0.07375992788812188,"value":0.6297519841269841},"ndcg@1":{"standardError":0.07844645405527362,"value":0.6},"ndcg@10":{"standardError":0.07020372176367222,"value":0.6567160190563255},"ndcg@20":{"standardError":0.060761629708346136,"value":0.7002939423348893},"ndcg@5":{"standardError":0.07553438401081194,"value":0.6254445640201499}},"tokens":185,"tokensPerSecond":587891.3449682856,"users":40,"validation":{"hr@1":{"standardError":0.08006407690254357,"value":0.5},"hr@10":{"standardError":0.075,"value":0.675},"hr@20":{"standardError":0.05295740910852021,"value":0.875},"hr@5":{"standardError":0.07844645405527362,"value":0.6},"mrr@10":{"standardError":0.07542566764060721,"value":0.535},"ndcg@1":{"standardError":0.08006407690254357,"value":0.5},"ndcg@10":{"standardError":0.07251072662718609,"value":0.5670635690781282},"ndcg@20":{"standardError":0.06391410021995182,"value":0.6157996783161531},"ndcg@5":{"standardError":0.07572727791423714,"value":0.5437051480845332}}}',NULL,8.74280377067774838728e-01);
INSERT INTO "trial" VALUES(4,1,4,'failed','{"checkpointSeconds":10,"configuration":{"backbone":"sasrec","dim":32,"heads":2,"layers":1,"loss":"cce","maxLength":50},"corpus":"/var/lib/plawd/corpora/books.7a1a3a70.corpus","mask":"none","options":{"batchUsers":256,"beta1":0.9,"beta2":0.999,"calibration":0.75,"clipNorm":0,"dropout":0.5,"epsilon":1e-08,"initialDeviation":0.02,"itemUpdate":"sparse","learningRate":0.001,"maxEpochs":2,"negatives":1,"patience":2,"sampling":"popularity","schedule":"constant","scheduleEpochs":0,"stopMetric":"ndcg@10","warmup":0,"weightDecay":0,"widthRule":"plain"},"seed":3,"threads":1,"userFraction":1}',3.09124044513438778203e-01,2.0,0.051741992,'{"bestEpoch":2,"epochs":2,"parameters":15168,"peakMemoryBytes":19275776,"seconds":0.051741992,"secondsPerEpoch":0.00042646650000000003,"secondsPerValidation":0.0001253925,"status":"diverged","test":{"hr@1":{"standardError":0.07844645405527362,"value":0.6},"hr@10":{"standardError":0.06405126152203484,"value":0.8},"hr@20":{"standardError":0.03489912202260564,"value":0.95},"hr@5":{"standardError":0.07149950690165273,"value":0.725},"mrr@10":{"standardError":0.07055326640938385,"value":0.6504464285714285},"ndcg@1":{"standardError":0.07844645405527362,"value":0.6},"ndcg@10":{"standardError":0.06602496121608627,"value":0.6851026179030585},"ndcg@20":{"standardError":0.056621150885827844,"value":0.7243162448837024},"ndcg@5":{"standardError":0.07057178777443217,"value":0.6616560419921348}},"tokens":185,"tokensPerSecond":433797.26191857975,"users":40,"validation":{"hr@1":{"standardError":0.08006407690254357,"value":0.5},"hr@10":{"standardError":0.07637626158259733,"value":0.65},"hr@20":{"standardError":0.02500000000000002,"value":0.975},"hr@5":{"standardError":0.0791582316693952,"value":0.575},"mrr@10":{"standardError":0.0754450759218146,"value":0.5455555555555556},"ndcg@1":{"standardError":0.08006407690254357,"value":0.5},"ndcg@10":{"standardError":0.07373438615232462,"value":0.5695978519590057},"ndcg@20":{"standardError":0.05826962882321227,"value":0.6519632750448006},"ndcg@5":{"standardError":0.07684425441659434,"value":0.5473197315178593}},"message":"the loss is not finite"}','the loss is not finite',8.18863204145248602117e-01);
CREATE INDEX jobByState ON job(state);
CREATE INDEX jobByDataset ON job(datasetId, id);
CREATE INDEX trialByJob ON trial(jobId, place);
CREATE INDEX observationByDataset ON observation(datasetId, id);
CREATE INDEX lawByDataset ON law(datasetId, current, id);
CREATE INDEX timingByDataset ON timing(datasetId, backbone, loss, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('timing',4);
INSERT INTO "sqlite_sequence" VALUES('job',1);
INSERT INTO "sqlite_sequence" VALUES('trial',4);
INSERT INTO "sqlite_sequence" VALUES('observation',6);
INSERT INTO "sqlite_sequence" VALUES('law',2);
COMMIT;
