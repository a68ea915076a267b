/// The names under which datasets carry users, items, lists of items and times.
enum ColumnNames {
    /// What a header says about its columns; nil where no name is known.
    struct Found {
        /// Every column with the name of a user, best known first.
        var users: [Int] = []
        var user: Int? { users.first }
        var item: Int?
        /// A column that holds all or several items of its row.
        var items: Int?
        /// Every column with the name of a time, best known first.
        var times: [Int] = []
        /// Columns with the name of a kind of interaction, of a value, of a domain.
        var behaviors: [Int] = []
        var kinds: [Int] = []
        var values: [Int] = []
        var domains: [Int] = []
    }

    static let users = [
        "userid", "user", "uid", "useridx", "userindex", "customerid", "customer", "customerno", "custid", "reviewerid",
        "reviewer", "visitorid", "visitor", "memberid", "member", "accountid", "personid", "profileid", "playerid",
        "steamid", "buyerid", "clientid", "learnerid", "studentid", "viewerid", "listenerid", "readerid", "patientid",
        "username", "userhash", "userpseudoid", "fullvisitorid", "deviceid", "cookieid", "sessionid", "session",
        "sessionidx", "sessionhash", "sessionkey", "author", "authorid",
    ]
    static let items = [
        "itemid", "item", "iid", "itemidx", "itemindex", "parentasin", "asin", "movieid", "movie", "productid",
        "product", "productcode", "productsku", "productskuhash", "stockcode", "sku", "skuid", "videoid", "animeid",
        "trackid", "musicid", "songid", "song", "track", "trackuri", "artistid", "artist", "bookid", "isbn", "isbn13",
        "businessid", "articleid", "clickarticleid", "newsid", "contentid", "gmapid", "pageid", "appid", "gameid",
        "recipeid", "poiid", "venueid", "placeid", "locationid", "restaurantid", "hotelid", "listingid", "showid",
        "aid", "adid", "jokeid", "courseid", "postid", "photoid", "goodsid", "objectid", "offerid", "brandid",
    ]
    static let lists = [
        "itemids", "items", "itemidlist", "itemlist", "itemseq", "itemsequence", "itemidseq", "itemidxs", "sequence",
        "seq", "history", "itemhistory", "sessionitems", "productids", "movieids", "videoids", "articleids",
        "trackids", "clickeditems", "clickhistory", "aids", "asins", "basket",
    ]
    static let times = [
        "timestamp", "time", "ts", "unixtime", "unixtimestamp", "unixreviewtime", "epoch", "timems", "timestampms",
        "clicktimestamp", "utctimestamp", "utctime", "datetime", "eventtime", "eventtimestamp", "eventdatetime",
        "timestampz", "clicktime", "viewtime", "actiontime", "behaviortime", "checkintime", "visittime",
        "visitdatetime", "watchtime", "playedat", "listenedat", "watchedat", "ratedat", "invoicedate", "orderdate",
        "purchasedate", "transactiondate", "tdat", "createdat", "createtime", "createdtime", "createdon", "submittedat",
        "occurredat", "eventdate", "date", "reviewtime", "reviewdate", "dateadded", "starttime", "begintime", "logtime",
        "requesttime", "localtime",
    ]
    static let behaviors = [
        "behavior", "behaviour", "behaviortype", "behaviourtype", "userbehavior", "eventtype", "eventname",
        "actiontype",
        "interactiontype", "feedbacktype",
    ]
    /// Names that say as little as `type`: columns of behaviors where their values are words of `behaviorWords`.
    static let kinds = ["type", "op", "kind", "eventstype", "event", "action"]
    /// What kinds of interactions are called, without case and punctuation.
    static let behaviorWords: Set<String> = [
        "view", "views", "viewed", "pageview", "detailview", "productview", "detail", "pv", "click", "clicks",
        "clicked", "impression",
        "show", "cart", "carts", "addtocart", "basket", "addtobasket", "removefromcart", "order", "orders", "buy",
        "bought", "purchase",
        "purchased", "transaction", "checkout", "fav", "favorite", "favourite", "favor", "like", "likes", "liked",
        "dislike", "share",
        "shared", "follow", "save", "saved", "bookmark", "wishlist", "play", "listen", "watch", "skip", "comment",
        "rate", "read",
    ]
    static let values = [
        "rating", "ratings", "score", "stars", "overall", "weight", "playcount", "plays", "playduration", "watchtime",
        "watchratio", "watchseconds", "dwelltime", "quantity", "qty", "count",
    ]
    static let domains = ["domain", "domainid", "marketplace"]
    /// Parts of a time, which say too little alone.
    private static let parts = [
        "year", "month", "week", "weekno", "weeknumber", "day", "dayofweek", "weekday", "hour", "minute", "timeofday",
    ]

    /// A name as it is compared: without case, punctuation, RecBole's type and what MongoDB says of types, as in `at.$date`.
    static func plain(_ name: String) -> String {
        (name.split(separator: ":").first ?? "").split(separator: ".").filter { !$0.hasPrefix("$") }.joined()
            .lowercased().filter { $0.isLetter || $0.isNumber }
    }

    /// The columns of a header, the better known name winning.
    static func find(in header: [String]) -> Found {
        let plain = header.map(plain)
        func first(_ names: [String]) -> Int? {
            names.lazy.compactMap { name in plain.firstIndex(of: name) }.first
        }
        // Of RecBole's sequences those of words and classes are no lists of items.
        let isList = header.indices.map { column in
            header[column].hasSuffix(":token_seq")
                && ["list", "seq", "ids", "history"].contains { plain[column].hasSuffix($0) }
        }
        var found = Found(item: first(items), items: first(lists))
        found.users = users.compactMap { plain.firstIndex(of: $0) }
        if found.items == nil { found.items = isList.firstIndex(of: true) }
        if let item = found.item, isList[item] { found.item = nil }
        found.times = times.compactMap { plain.firstIndex(of: $0) }
        // Of two columns of one name nothing says which is meant.
        func single(_ names: [String]) -> [Int] {
            names.compactMap { name in
                plain.firstIndex(of: name).flatMap { plain.lastIndex(of: name) == $0 ? $0 : nil }
            }
        }
        found.behaviors = single(behaviors)
        found.kinds = single(kinds)
        found.values = single(values)
        found.domains = single(domains)
        return found
    }

    /// Columns that hold a part of a time.
    static func parts(in header: [String]) -> [Int] { header.indices.filter { parts.contains(plain(header[$0])) } }

    /// Whether a name of no known meaning says that its values are names of something, not times.
    static func isIdentifier(_ name: String) -> Bool {
        let plain = plain(name)
        return plain.hasSuffix("id") || plain.hasSuffix("code") || plain.hasSuffix("number") || plain.hasSuffix("no")
    }
}
