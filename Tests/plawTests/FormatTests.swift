import Domain
import Wire
import Testing

@testable import plaw

@Suite struct FormatTests {
    @Test(
        "quantities are read with their units",
        arguments: [
            ("2M", 2e6), ("500k", 5e5), ("1.5B", 1.5e9), ("1e6", 1e6), ("1,000,000", 1e6), ("3 M", 3e6), ("12", 12),
            ("1e12", 1e12), ("0.5T", 5e11),
        ])
    func counts(text: String, value: Double) { #expect(Count(argument: text)?.value == value) }

    @Test(
        "sizes are read with decimal and binary units",
        arguments: [("200MB", 2e8), ("1GiB", 1_073_741_824), ("64 KiB", 65_536), ("1e9", 1e9), ("7B", 7), ("2G", 2e9)])
    func bytes(text: String, value: Double) { #expect(Bytes(argument: text)?.value == value) }

    @Test(
        "durations are read with their units, seconds without",
        arguments: [
            ("5ms", 0.005), ("10m", 600), ("90", 90), ("2h", 7_200), ("1.5h", 5_400), ("250us", 0.00025),
            ("250µs", 0.00025), ("1d", 86_400), ("45 s", 45), ("3min", 180),
        ])
    func seconds(text: String, value: Double) throws {
        let read = try #require(Seconds(argument: text)?.value)
        #expect(abs(read - value) < 1e-12 * value)
    }

    @Test(
        "what is no quantity is refused",
        arguments: ["", "M", "2X", "-3", "0", "nan", "inf", "1e400", "2MB/s", "ten", "1e300T", "1e300E"])
    func refused(text: String) {
        #expect(Count(argument: text) == nil)
        #expect(Bytes(argument: text) == nil)
        #expect(Seconds(argument: text) == nil)
    }

    @Test("a quantity with its unit is a number that there is, and a share at most 1")
    func range() {
        #expect(Count(argument: "1e290E")?.value == 1e308 && Count(argument: "1e300E") == nil)
        #expect(Seconds(argument: "1e-320us") == nil && Bytes(argument: "1e300GiB") == nil)
        #expect(Share(argument: "100%")?.value == 1 && Share(argument: "1.5") == nil && Share(argument: "101%") == nil)
        #expect(Number(argument: "-1e-3")?.value == -0.001)
        for bad in ["nan", "inf", "-inf", "1e400", "", "ten"] { #expect(Number(argument: bad) == nil, "\(bad)") }
    }

    @Test("levels and columns are read, and refused when one part is wrong")
    func lists() {
        #expect(Choices(argument: "1,2,4")?.values == [1, 2, 4])
        for bad in ["", "1,", "1,x", "0,1", "-1"] { #expect(Choices(argument: bad) == nil) }
        #expect(Columns(argument: "user=uid,item=2")?.values == ["user": "uid", "item": "2"])
        for bad in ["", "user", "user=", "who=1", "user=1,user=2"] { #expect(Columns(argument: bad) == nil) }
    }

    @Test(
        "durations are shown as people say them",
        arguments: [
            (0, "0 s"), (4.2e-5, "42 µs"), (0.0012, "1.20 ms"), (0.9999, "1.0 s"), (4.84, "4.8 s"), (59.6, "60 s"),
            (119.7, "2 min 00 s"), (192, "3 min 12 s"), (3_599.6, "1 h 00 min"), (7_500, "2 h 05 min"),
            (90_000, "1 d 01 h"),
        ])
    func durations(value: Double, text: String) { #expect(Format.seconds(value) == text) }

    @Test("numbers keep three digits and sizes their unit")
    func numbers() {
        #expect(Format.short(0.4545) == "0.455")
        #expect(Format.short(12.345) == "12.3")
        #expect(Format.short(6.96e-5) == "6.96e-5")
        #expect(Format.short(1.5e7) == "1.50e7")
        #expect(Format.short(0) == "0")
        #expect(Format.count(1_234_567) == "1,234,567")
        #expect(Format.count(-1_000) == "-1,000")
        #expect(Format.bytes(999) == "999 B")
        #expect(Format.bytes(999_600) == "1.00 MB")
        #expect(Format.bytes(29_050_836) == "29.1 MB")
        #expect(Format.flops(2.05e11) == "205 GFLOP")
        #expect(Format.fixed(-0.00004, 4) == "0.0000")
        #expect(Format.fixed(2.5, 0) == "3")
        #expect(Format.quality(0.05661) == "0.0566")
        #expect(Format.share(0.243) == "24.3 %" && Format.share(0.243, decimals: 0) == "24 %")
        #expect(Format.scientific(9.996e6) == "1.00e7" && Format.scientific(9.99e6) == "9.99e6")
        #expect(Format.thousands(20_000) == "20.0 k" && Format.thousands(-1.5e6) == "-1.50 M")
        #expect(Format.known(7.4, Format.count) == "7" && Format.known(.infinity, Format.count) == "unknown")
        #expect(Format.known(1_234) == "1,234" && Format.known(nil) == "unknown")
        #expect(Format.quartiles([1, 2, 3, 4, 5_000]) == "min 1, 25 % 2, median 3, 75 % 4, max 5,000")
        #expect(Format.words(DeclaredConfiguration(Configuration(layers: 1, dim: 8))) == "1 layer, dim 8")
        #expect(Format.words(DeclaredConfiguration(Configuration(layers: 2, dim: 8))) == "2 layers, dim 8")
    }

    @Test("tables align their columns")
    func tables() {
        var table = Table("name", "users", "x")
        table.add("a", "1,000", "")
        table.add("long name", "7", "y")
        #expect(table.lines == ["name       users  x", "a          1,000", "long name      7  y"])
    }

    @Test("the progress of a job fits the terminal and tells what trains")
    func progress() {
        var job = Job(
            id: 1, kind: "calibration", dataset: "d", state: .running, createdAt: "", budgetSeconds: 600,
            activeSeconds: 100, sequence: 1, trialCount: 2, finishedTrials: 1, remainingSeconds: 300, laws: [])
        job.trials = [
            TrialState(
                id: 1, index: 1, state: .finished, configuration: Configuration(layers: 1, dim: 16), userFraction: 1,
                predictedSeconds: 10, predictedEpochs: 40, seconds: 9, epochs: 37, converged: true,
                metrics: ["hr@10": Measurement(value: 0.5, standardError: 0.1)]),
            TrialState(
                id: 2, index: 2, state: .running, configuration: Configuration(layers: 2, dim: 64), userFraction: 0.5,
                predictedSeconds: 100, predictedEpochs: 40, seconds: 40),
        ]
        let lines = JobDisplay.lines(job, width: 60)
        #expect(lines[0] == "[######..................] 1 of 2 trials, 1 min 40 s, about")
        #expect(lines[1] == "  trial 2/2  2 x 64")
        #expect(JobDisplay.lines(job, width: 200)[0].hasSuffix("1 of 2 trials, 1 min 40 s, about 5 min 00 s left"))
        #expect(JobDisplay.outcome(job.trials![0], of: 2) == "trial 1/2  1 x 16  9.0 s (predicted 10 s)  hr@10 0.5000")
        #expect(
            JobDisplay.comparison(job)
                == "finished trials took 9.0 s and 37 epochs; predicted 10 s and 40 epochs")
        job.trials![1].state = .cancelled
        job.trials![1].message = "not started"
        #expect(
            JobDisplay.outcome(job.trials![1], of: 2)
                == "trial 2/2  2 x 64 on 50.0 % of the users  cancelled: not started")
    }
}
