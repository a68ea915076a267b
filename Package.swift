// swift-tools-version: 6.1
import PackageDescription

// Language mode 6 and the upcoming features are on for every target; imports read as a contract.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
