/// Every method of the service; the route table and the description are checked against it.
package enum Catalog {
    package static let methods: [any RPCMethod.Type] = [
        ServerInfo.self, RPCDiscover.self, MetricsGet.self,
        DatasetUpload.self, DatasetInspect.self, DatasetRegister.self, DatasetList.self, DatasetGet.self,
        DatasetRemove.self,
        DatasetEntropy.self, DatasetSequences.self,
        CalibrationPlan.self, CalibrationStart.self,
        JobList.self, JobGet.self, JobWait.self, JobCancel.self, JobSubscribe.self,
        ObservationImport.self, ObservationList.self,
        LawFitMethod.self, LawList.self, LawGet.self, LawPredict.self,
        AdvisorRecommend.self, AdvisorPareto.self, AdvisorPotential.self, AdvisorWhatIf.self,
        ReportRender.self, StoreBackup.self,
    ]

    /// The notification that `job.subscribe` sends; its params are a `Job`.
    package static let jobProgress = "job.progress"
    /// The notification by which a client gives up a request; its params are `{"id": ...}`.
    package static let cancelRequest = "$/cancelRequest"
}
