/// Entropy figures of a corpus. Pooled and per-user ApEn in nats, Shannon in bits, Lempel-Ziv in nats.
package struct EntropyReport: Codable, Sendable, Hashable {
    package struct Pooled: Codable, Sendable, Hashable {
        package var m: Int
        /// Plug-in conditional entropy of the next item given the last m, nats.
        package var value: Double
        package var biasCorrected: Double
        /// Share of contexts of length m that occur once.
        package var singletonShare: Double

        package init(m: Int, value: Double, biasCorrected: Double, singletonShare: Double) {
            (self.m, self.value, self.biasCorrected, self.singletonShare) = (m, value, biasCorrected, singletonShare)
        }
    }

    /// Pooled ApEn of one m, where the report has it.
    package func pooled(m: Int) -> Pooled? { pooledApEn.first { $0.m == m } }

    package struct PerUser: Codable, Sendable, Hashable {
        package var m: Int
        package var r: Double
        package var maxLength: Int
        package var mean: Double
        package var users: Int
        /// Users whose sequence has no template of length m + 1; they count as 0, as published.
        package var tooShort: Int

        package init(m: Int, r: Double, maxLength: Int, mean: Double, users: Int, tooShort: Int) {
            (self.m, self.r, self.maxLength) = (m, r, maxLength)
            (self.mean, self.users, self.tooShort) = (mean, users, tooShort)
        }
    }

    package var pooledApEn: [Pooled]
    package var perUserApEn: PerUser
    package var shannonBits: Double
    package var lempelZiv: Double
    package var compressionRatio: Double
    /// Training positions after truncation to `perUserApEn.maxLength`.
    package var tokens: Int
    /// D' = tokens / pooled ApEn (m = 1).
    package var effectiveTokens: Double
    /// Degenerate cases in words, empty when there are none.
    package var notes: [String]

    package init(
        pooledApEn: [Pooled], perUserApEn: PerUser, shannonBits: Double, lempelZiv: Double, compressionRatio: Double,
        tokens: Int, effectiveTokens: Double, notes: [String]
    ) {
        (self.pooledApEn, self.perUserApEn, self.shannonBits) = (pooledApEn, perUserApEn, shannonBits)
        (self.lempelZiv, self.compressionRatio, self.tokens) = (lempelZiv, compressionRatio, tokens)
        (self.effectiveTokens, self.notes) = (effectiveTokens, notes)
    }
}

/// Entropy figures of a dataset cut to fewer users or shorter histories. ApEn in nats.
package struct EntropyPoint: Codable, Sendable, Hashable {
    /// Share of the users, chosen as a trial on that share chooses them.
    package var userFraction: Double
    /// Most recent items taken of each user.
    package var maxLength: Int
    package var users: Int
    package var interactions: Int
    /// Training positions of these users, truncated to `maxLength`.
    package var tokens: Int
    /// Pooled ApEn, m = 1, of what is left.
    package var pooledApEn: Double
    package var biasCorrected: Double
    /// Share of the contexts of length 1 that occur once.
    package var singletonShare: Double
    /// Mean per-user ApEn, with the m and r of the report beside.
    package var perUserApEn: Double
    /// D' = tokens / pooled ApEn of the same cut.
    package var effectiveTokens: Double

    package init(
        userFraction: Double, maxLength: Int, users: Int, interactions: Int, tokens: Int, pooledApEn: Double,
        biasCorrected: Double, singletonShare: Double, perUserApEn: Double, effectiveTokens: Double
    ) {
        (self.userFraction, self.maxLength, self.users) = (userFraction, maxLength, users)
        (self.interactions, self.tokens, self.pooledApEn) = (interactions, tokens, pooledApEn)
        (self.biasCorrected, self.singletonShare) = (biasCorrected, singletonShare)
        (self.perUserApEn, self.effectiveTokens) = (perUserApEn, effectiveTokens)
    }
}

/// How entropy and D' move with the length of histories and with the number of users.
package struct EntropyMovement: Codable, Sendable, Hashable {
    /// All users, ever longer histories; the last is the first to hold the longest whole, if any does.
    package var byMaxLength: [EntropyPoint]
    /// Ever larger shares of the users, whole histories; tokens truncated to the L of the report beside.
    package var byUserFraction: [EntropyPoint]

    package init(byMaxLength: [EntropyPoint], byUserFraction: [EntropyPoint]) {
        (self.byMaxLength, self.byUserFraction) = (byMaxLength, byUserFraction)
    }
}
