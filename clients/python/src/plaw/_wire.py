"""What the daemon answers, as frozen dataclasses. Written by generate.py; change that instead."""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ._values import Value

PROTOCOL = "2.0"
"""Version of the protocol that this package was made for."""


@dataclass(frozen=True, kw_only=True, repr=False)
class AnswerWarning(Value):
    """Something the reader of an answer must know before trusting it."""

    code: str
    """Stable word: `outside-range`, `optimum-at-edge`, `few-observations`, `not-identified`, `poor-fit`,
    `one-data-size`, `cheaper-equivalent`, `no-better-than-nearest`, `outside-hull`, `several-laws`,
    `joined-trainer`, `undeclared`, `cost-unknown`, `no-law`, `no-standard-error`, `noise-unknown`,
    `other-version`, `many-keys`, `trivial-metric`, `unseen-targets`, `few-users`; more may be added.
    Warnings come in the order in which they change what to do, most first.
    """
    message: str
    """The same in a sentence, with numbers."""
    command: str | None = None
    """The command that helps, ready to paste."""


@dataclass(frozen=True, kw_only=True, repr=False)
class AxisShape(Value):
    """One axis of a performance law, a LINEX curve in ln x."""

    optimum: float | None = None
    """Where the axis peaks; like the other two absent where the observations do not determine it."""
    curvature: float | None = None
    """Second derivative of the metric by ln x at the optimum."""
    skew: float | None = None
    """Positive where the metric falls faster beyond the optimum than before it."""
    identified: tuple[str, ...]
    """Which of the three the observations determine."""


@dataclass(frozen=True, kw_only=True, repr=False)
class CalibrationOutlook(Value):
    """What a calibration whose trials are chosen one at a time would answer, and how good that is."""

    metric: str
    configuration: Configuration
    predicted: float
    """Predicted metric of the configuration."""
    expected_regret: float = field(metadata={"wire": "expectedRegret"})
    """What the best configuration asked about is expected to have more, in metric units."""
    trained: int
    """Trainings of the configuration on all users."""
    tolerance: float
    """Expected regret over the predicted metric at which the calibration ends."""
    is_reached: bool = field(metadata={"wire": "isReached"})
    """Whether the tolerance is reached, and nothing asked about is too far from what was trained to believe
    it.
    """
    untested: Configuration | None = None
    """The configuration asked about that is furthest from all that were trained, where the law was not shown
    to hold so far; absent where there is none.
    """
    halving_seconds: float | None = field(default=None, metadata={"wire": "halvingSeconds"})
    """Seconds of one worker that would halve the expected regret; only at the end, and absent where the
    design sees no way to.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class Candidate(Value):
    """One configuration with what the laws expect of it and what it costs."""

    configuration: DeclaredConfiguration
    predicted: Mapping[str, float]
    interval: Mapping[str, Interval]
    cost: Cost
    expected_regret: float | None = field(default=None, metadata={"wire": "expectedRegret"})
    """What the best choice within the budget is expected to have more, in metric units; absent where none was
    asked for.
    """
    trained: int
    """Trainings of it on all users."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Change(Value):
    """The best before and after a change."""

    dataset: str
    metric: str
    before: Candidate
    after: Candidate
    before_grade: str = field(metadata={"wire": "beforeGrade"})
    grade: str
    tokens_before: int | None = field(default=None, metadata={"wire": "tokensBefore"})
    """Training positions of an epoch before the change; absent where the data stays."""
    tokens_after: int | None = field(default=None, metadata={"wire": "tokensAfter"})
    """The same after it."""
    gain: float
    """Expected change of the metric."""
    interval: Interval | None = None
    warnings: tuple[AnswerWarning, ...]
    laws: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class Configuration(Value):
    """One model to train."""

    backbone: str
    layers: int
    """Transformer blocks N, or what a model of an import calls its layers; at most 128 of a backbone."""
    dim: int
    """Embedding dimension d; of a backbone a multiple of `heads`, at most 4096."""
    heads: int
    """Attention heads."""
    max_length: int = field(metadata={"wire": "maxLength"})
    """Longest sequence the model sees, L, in items."""
    loss: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Cost(Value):
    """What a configuration costs, in five currencies; those that cannot be told are absent, and a warning
    says why.
    """

    parameters: float | None = None
    """Trainable parameters, item embeddings included."""
    embedding_parameters: float | None = field(default=None, metadata={"wire": "embeddingParameters"})
    """Of them those of the item embeddings, which are the output layer too."""
    body_parameters: float | None = field(default=None, metadata={"wire": "bodyParameters"})
    """Of them all others."""
    training_flops: float | None = field(default=None, metadata={"wire": "trainingFlops"})
    """Floating-point operations of one training to convergence."""
    training_flops_per_token: float | None = field(default=None, metadata={"wire": "trainingFlopsPerToken"})
    """Of one training position, forward and backward."""
    inference_flops_per_token: float | None = field(default=None, metadata={"wire": "inferenceFlopsPerToken"})
    """Of one position through all blocks, forward; scores of items not included."""
    inference_flops: float | None = field(default=None, metadata={"wire": "inferenceFlops"})
    """Of one request: the newest hidden state of a history of full length, and the scores of all items."""
    latency_seconds: float | None = field(default=None, metadata={"wire": "latencySeconds"})
    """Seconds to rank all items for one user on one core, with a model that is loaded: the median."""
    latency_p95_seconds: float | None = field(default=None, metadata={"wire": "latencyP95Seconds"})
    """What 95 of 100 requests do not exceed; absent where latency was measured by an older version."""
    memory_bytes: float | None = field(default=None, metadata={"wire": "memoryBytes"})
    """Peak resident bytes of training."""
    training_seconds: float | None = field(default=None, metadata={"wire": "trainingSeconds"})
    """Seconds of one training to convergence on one core."""


@dataclass(frozen=True, kw_only=True, repr=False)
class CrossValidation(Value):
    """Scores of a family on observations it was not fitted to."""

    leave_one_out: FoldScore = field(metadata={"wire": "leaveOneOut"})
    leave_largest_out: FoldScore | None = field(default=None, metadata={"wire": "leaveLargestOut"})
    leave_largest_out_alone: FoldScore | None = field(default=None, metadata={"wire": "leaveLargestOutAlone"})
    weight: float
    """Share of the family in the predictions."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Dataset(Value):
    """A dataset: registered from a file of interactions, or made of imported observations alone, which has
    neither decision, statistics, mask nor entropy.
    """

    name: str
    version: str
    """Content hash of the corpus; empty where there is none."""
    created_at: datetime = field(metadata={"wire": "createdAt"})
    file_name: str = field(metadata={"wire": "fileName"})
    """The file's name at the client, of several that of the first."""
    file_names: tuple[str, ...] | None = field(default=None, metadata={"wire": "fileNames"})
    """Where there are several files, all of them, in the order in which they were read."""
    decision: FormatDecision | None = None
    options: ReadOptions
    users: int | None = None
    """Users."""
    items: int | None = None
    """Items."""
    interactions: int | None = None
    """Interactions."""
    statistics: DatasetStatistics | None = None
    mask: str | None = None
    entropy: EntropyReport | None = None
    targets: TargetFacts | None = None
    corpus_bytes: int = field(metadata={"wire": "corpusBytes"})
    """Size of the daemon's copy."""


@dataclass(frozen=True, kw_only=True, repr=False)
class DatasetPage(Value):
    """The registered datasets, by name."""

    datasets: tuple[DatasetSummary, ...]
    next: str | None = None
    """Name to go on after; absent when these were the last."""


@dataclass(frozen=True, kw_only=True, repr=False)
class DatasetStatistics(Value):
    """What a corpus holds, counted while it was read."""

    rows: int
    """Rows of the file, header and blank lines left out."""
    dropped: tuple[DroppedRows, ...]
    users: int
    """Users kept."""
    items: int
    """Items kept."""
    interactions: int
    """Interactions kept."""
    length_quartiles: tuple[int, ...] = field(metadata={"wire": "lengthQuartiles"})
    """Minimum, lower quartile, median, upper quartile and maximum of the sequence lengths."""
    repeated_share: float = field(metadata={"wire": "repeatedShare"})
    """Share of interactions whose (user, item) pair occurred before."""
    out_of_order_rows: int = field(metadata={"wire": "outOfOrderRows"})
    """Rows found earlier in time than the row before them, inside a user."""
    content_hash: str = field(metadata={"wire": "contentHash"})
    evaluated_users: int = field(metadata={"wire": "evaluatedUsers"})
    """Users with 3 or more interactions: the ones with a validation and a test target."""
    reading: ReadingCounts | None = None
    events: EventFacts | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class DatasetSummary(Value):
    """A dataset in one line; counts and entropy are absent where observations alone do not say them."""

    name: str
    users: int | None = None
    """Users."""
    items: int | None = None
    """Items."""
    interactions: int | None = None
    """Interactions."""
    created_at: datetime = field(metadata={"wire": "createdAt"})
    pooled_apen: float | None = field(default=None, metadata={"wire": "pooledApEn"})
    """m = 1, nats."""
    observations: int
    """Observations kept."""
    laws: int
    """Laws being served."""


@dataclass(frozen=True, kw_only=True, repr=False)
class DeclaredConfiguration(Value):
    """One model, as whoever trained it declares it.

    What nobody declared of the observations that an answer rests on is absent.
    """

    backbone: str | None = None
    layers: int
    """Transformer blocks N, or what a model of an import calls its layers; at most 128 of a backbone."""
    dim: int
    """Embedding dimension d; of a backbone a multiple of `heads`, at most 4096."""
    heads: int | None = None
    """Attention heads."""
    max_length: int | None = field(default=None, metadata={"wire": "maxLength"})
    """Longest sequence the model sees, L, in items."""
    loss: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class DroppedRows(Value):
    """Rows left out of a corpus for one reason."""

    reason: str
    count: int
    first_lines: tuple[int, ...] = field(metadata={"wire": "firstLines"})
    """The first line numbers, counted from 1."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Entropy(Value):
    """Entropy of a dataset."""

    name: str
    entropy: EntropyReport
    movement: EntropyMovement


@dataclass(frozen=True, kw_only=True, repr=False)
class EntropyMovement(Value):
    """How entropy and D' move with the length of histories and with the number of users."""

    by_max_length: tuple[EntropyPoint, ...] = field(metadata={"wire": "byMaxLength"})
    """All users, ascending lengths, up to the first that holds the longest history whole."""
    by_user_fraction: tuple[EntropyPoint, ...] = field(metadata={"wire": "byUserFraction"})
    """Ascending shares of the users, histories whole."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EntropyPoint(Value):
    """Entropy of a dataset cut to fewer users or shorter histories."""

    user_fraction: float = field(metadata={"wire": "userFraction"})
    """Share of the users, chosen as a trial on that share chooses them."""
    max_length: int = field(metadata={"wire": "maxLength"})
    """Most recent items taken of each user; in `byUserFraction` for tokens and per-user ApEn only."""
    users: int
    """Users that are left."""
    interactions: int
    """Interactions that are left."""
    tokens: int
    """Training positions of these users after truncation to `maxLength`."""
    pooled_apen: float = field(metadata={"wire": "pooledApEn"})
    """Pooled ApEn, m = 1, of what is left, nats."""
    bias_corrected: float = field(metadata={"wire": "biasCorrected"})
    """The same with the Miller-Madow correction, nats."""
    singleton_share: float = field(metadata={"wire": "singletonShare"})
    """Share of the contexts of length 1 that occur once."""
    per_user_apen: float = field(metadata={"wire": "perUserApEn"})
    """Mean per-user ApEn with the m and r of the report, nats."""
    effective_tokens: float = field(metadata={"wire": "effectiveTokens"})
    """D' = tokens / pooled ApEn of this cut."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EntropyReport(Value):
    """Entropy figures of a corpus."""

    pooled_apen: tuple[PooledApEn, ...] = field(metadata={"wire": "pooledApEn"})
    """For m = 0 to 8."""
    per_user_apen: PerUserApEn = field(metadata={"wire": "perUserApEn"})
    shannon_bits: float = field(metadata={"wire": "shannonBits"})
    """Shannon entropy of the items, bits."""
    lempel_ziv: float = field(metadata={"wire": "lempelZiv"})
    """Lempel-Ziv estimate of the entropy rate, nats."""
    compression_ratio: float = field(metadata={"wire": "compressionRatio"})
    """Size after zlib over size before."""
    tokens: int
    """Training positions after truncation to `perUserApEn.maxLength`."""
    effective_tokens: float = field(metadata={"wire": "effectiveTokens"})
    """D' = tokens / pooled ApEn (m = 1)."""
    notes: tuple[str, ...]
    """Degenerate cases in words."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EventFacts(Value):
    """What the interactions say besides user, item and time; a member is absent where the file does not have
    it.
    """

    behaviors: tuple[EventGroup, ...] | None = None
    """As a funnel: those with most interactions first."""
    values: EventValues | None = None
    domains: tuple[EventGroup, ...] | None = None
    """Those with most interactions first."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EventGroup(Value):
    """Interactions of one kind, such as a behavior or a domain."""

    name: str
    """As the file writes it; empty for interactions that do not say."""
    interactions: int
    """How many there are."""
    users: int
    """Users who have such."""
    items: int
    """Items that have such."""
    shared_users: int = field(metadata={"wire": "sharedUsers"})
    """Users who have interactions of other kinds too."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EventValues(Value):
    """Values of the interactions, such as ratings."""

    least: float
    """The least value."""
    most: float
    """The largest value."""
    mean: float
    """Mean over the interactions that have one."""
    distinct: int | None = None
    """Different values; absent where there are more than 65535."""
    missing: int
    """Interactions without one."""


@dataclass(frozen=True, kw_only=True, repr=False)
class FamilyFit(Value):
    """One family fitted to the observations of a law."""

    family: str
    metric: str
    form: str
    """The formula with the terms that the observations allow."""
    parameters: Mapping[str, float]
    """Parameters of the formula; what the observations do not determine is absent."""
    intervals: Mapping[str, Interval]
    """90 % bootstrap intervals of the parameters and of the optimum (`layers`, `dim`)."""
    not_identified: tuple[str, ...] | None = field(default=None, metadata={"wire": "notIdentified"})
    """Parameters of the formula that have no number because the observations do not determine them.

    Absent in laws of former versions.
    """
    names: tuple[str, ...]
    """Coordinates of the fit."""
    identified: tuple[str, ...]
    """Which of them the observations determine."""
    rank: int
    """Directions in the parameters that the observations determine to within what is of use."""
    condition_number: float = field(metadata={"wire": "conditionNumber"})
    """Condition number of the weighted, column-normalised Jacobian over its rank."""
    r2: float
    """1 - SS_res / SS_tot, unweighted, in metric units."""
    adjusted_r2: float | None = field(default=None, metadata={"wire": "adjustedR2"})
    """r2 adjusted for the degrees of freedom; absent where none is left."""
    degrees_of_freedom: int = field(metadata={"wire": "degreesOfFreedom"})
    residual_deviation: float | None = field(default=None, metadata={"wire": "residualDeviation"})
    """Standard deviation of the residuals; absent without degrees of freedom."""
    optimum: Optimum
    axes: Mapping[str, AxisShape]
    """`layers` and `dim` of a performance law, where the axis is curved."""
    cross_validation: CrossValidation = field(metadata={"wire": "crossValidation"})
    process: FamilyProcess
    fitted: tuple[float, ...] | None = None
    """What the family's own formula gives at each point of the law, in their order; absent where there are
    more than 5,000, and from laws of older daemons.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class FamilyProcess(Value):
    """The family as the mean of a Gaussian process: what predictions are made with."""

    parameters: tuple[float, ...]
    amplitude: float
    """Standard deviation of the smooth residual, in metric units."""
    length: float
    """Length scale in e-folds of N and d."""
    noise_factor: float = field(metadata={"wire": "noiseFactor"})
    """Variance of a training over its measured variance."""
    data_amplitude: float = field(metadata={"wire": "dataAmplitude"})
    """Standard deviation of a process along D' alone, 0 at the largest D'."""


@dataclass(frozen=True, kw_only=True, repr=False)
class FoldScore(Value):
    """Errors on points left out."""

    relative_error: float = field(metadata={"wire": "relativeError"})
    """Mean of |predicted - observed| / observed."""
    deviation: float
    """Root mean squared error, in metric units."""
    log_density: float | None = field(default=None, metadata={"wire": "logDensity"})
    """Mean log predictive density; absent for a prediction without one."""
    points: int


@dataclass(frozen=True, kw_only=True, repr=False)
class FormatDecision(Value):
    """What the reader decided about a file before it read the rows."""

    format: str
    """`sequences`: a user and all its items in a line; `pairs`: two fields separated by blanks; `columns`:
    more of them; `inter`: an atomic file with typed column names; `double-colon`: fields separated by
    `::`; `csv`: by comma, semicolon or bar; `tsv`: by tabs; `jsonl`: a JSON object in each line.
    """
    compression: str
    """Of what the daemon read."""
    container: str | None = None
    """What the client took that out of, in its own words: `zip`, `xz`, `tar in gzip`, `Parquet by pyarrow`;
    absent where it sent the file as it is.
    """
    has_header: bool = field(metadata={"wire": "hasHeader"})
    columns: Mapping[str, str]
    time_unit: str = field(metadata={"wire": "timeUnit"})
    """How the time column is written; `file order` where there is none."""
    unused: tuple[str, ...] | None = None
    """Columns that were not used, the first 100; absent where there is none."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Front(Value):
    """A Pareto front."""

    dataset: str
    metric: str
    currency: str
    points: tuple[Candidate, ...]
    """Cheapest first."""
    warnings: tuple[AnswerWarning, ...]
    laws: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class Imported(Value):
    """What was imported."""

    dataset: str
    created: bool
    """Whether the dataset was made."""
    rows: int
    """Rows of the table."""
    imported: int
    """Observations added."""
    duplicates: int
    """Rows that said again what was known: same key, configuration, seed, share of users, and values."""
    failed: int
    """Trainings among the imported ones that failed, by their status or for want of a metric: kept, and not
    fitted.
    """
    skipped: int
    """Rows with nothing to keep: cut short without a metric, or failed before they said their layers and
    dimension.
    """
    read: Mapping[str, str]
    """Columns of the table by other names than plawd's, with what they were read as."""
    unused: tuple[str, ...]
    """Columns of the table that were left out, at most 200."""
    keys: tuple[ImportedKey, ...]
    """By number of converged observations, the largest 32."""
    laws: tuple[int, ...]
    """Laws fitted with them."""
    warnings: tuple[AnswerWarning, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class ImportedKey(Value):
    """Observations of one key in an import."""

    key: LawKey
    observations: int
    """Observations imported."""
    converged: int
    """Those among them that laws are fitted to."""


@dataclass(frozen=True, kw_only=True, repr=False)
class InspectedColumn(Value):
    """A column of a file."""

    name: str
    """Its name in the header, or its number from 0."""
    values: tuple[str, ...]
    """Different values of its first rows."""
    role: str | None = None
    """What it is read as; absent for one that is not read."""


@dataclass(frozen=True, kw_only=True, repr=False)
class InspectedEvent(Value):
    """An interaction as it was understood."""

    user: str
    item: str
    time: str | None = None
    """Date and time in UTC, or a number that is no known time; absent in file order."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Inspection(Value):
    """How files would be read."""

    decision: FormatDecision
    columns: tuple[InspectedColumn, ...]
    """Columns of the first file, the first 200."""
    events: tuple[InspectedEvent, ...]
    """The first interactions in the order of the files, as they are understood."""
    statistics: DatasetStatistics


@dataclass(frozen=True, kw_only=True, repr=False)
class Interval(Value):
    """A closed interval of a predicted metric."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Job(Value):
    """A job."""

    id: int
    kind: str
    dataset: str
    state: str
    created_at: datetime = field(metadata={"wire": "createdAt"})
    ended_at: datetime | None = field(default=None, metadata={"wire": "endedAt"})
    budget_seconds: float = field(metadata={"wire": "budgetSeconds"})
    """Active wall-clock seconds it may use."""
    active_seconds: float = field(metadata={"wire": "activeSeconds"})
    """Seconds it was worked on; time while the daemon was down does not count."""
    sequence: int
    """Grows with every change of state, of the job or of a trial; progress within a trial leaves it as it is.
    """
    trial_count: int = field(metadata={"wire": "trialCount"})
    """Trials of the plan; grows where they are chosen one at a time."""
    finished_trials: int = field(metadata={"wire": "finishedTrials"})
    """Trials that ended with an observation."""
    remaining_seconds: float | None = field(default=None, metadata={"wire": "remainingSeconds"})
    """Estimated time left; only while it is worked on."""
    message: str | None = None
    """What went wrong, or why trials chosen one at a time have ended, in words."""
    laws: tuple[int, ...]
    """Laws fitted when it ended."""
    trials: tuple[Trial, ...] | None = None
    """In the order of the plan; absent in lists."""
    outlook: CalibrationOutlook | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class JobPage(Value):
    """Jobs, newest first."""

    jobs: tuple[Job, ...]
    next: int | None = None
    """Number to go on before; absent when these were the last."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Law(Value):
    """A stored law."""

    id: int
    dataset: str
    key: LawKey
    created_at: datetime = field(metadata={"wire": "createdAt"})
    fit: LawFit


@dataclass(frozen=True, kw_only=True, repr=False)
class LawFit(Value):
    """A fitted law for one metric: every family with its scores, how they are weighted, and every choice that
    produced them.
    """

    metric: str
    family: str
    """The family that stands out in cross-validation, or `weighted`."""
    leading: str
    fits: tuple[FamilyFit, ...]
    noise: LawNoise
    points: tuple[LawFitPoint, ...]
    places: tuple[LawPlace, ...]
    expected: tuple[LawPlace, ...] | None = None
    """Where trainings that were cut short were heading, and without any training the level that is expected;
    absent where there is nothing of it.
    """
    prior: LawPriorUse | None = None
    nearest_neighbour: FoldScore | None = field(default=None, metadata={"wire": "nearestNeighbour"})
    layers_range: tuple[int, ...] = field(metadata={"wire": "layersRange"})
    """Smallest and largest layers among the observations."""
    dim_range: tuple[int, ...] = field(metadata={"wire": "dimRange"})
    """Smallest and largest dim among the observations."""
    effective_tokens_range: tuple[float, ...] = field(metadata={"wire": "effectiveTokensRange"})
    """Smallest and largest D' among the observations."""
    fixed_p: float | None = field(default=None, metadata={"wire": "fixedP"})
    """Fixed factor p; absent where it was profiled."""
    choices: Mapping[str, str]
    """Every choice of the fit in words: form (the terms that are present), estimator, weights, search,
    whether p was profiled.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class LawFitPoint(Value):
    """One observation as a law saw it."""

    observation: int
    """Number of the observation."""
    layers: int
    dim: int
    effective_tokens: float = field(metadata={"wire": "effectiveTokens"})
    """D' = tokens / ApEn."""
    observed: float
    """Measured metric."""
    fitted: float
    """What the law says."""
    residual: float
    """observed - fitted, in metric units."""
    weight: float
    """Weight in the least-squares sum."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LawKey(Value):
    """What makes observations comparable: laws are fitted only among observations whose keys are equal.

    What an import left unsaid is absent.
    """

    dataset_version: str | None = field(default=None, metadata={"wire": "datasetVersion"})
    """Content hash of the dataset's corpus; what an import says instead."""
    filter: str | None = None
    """Which interactions were left out before anything was counted: `none`, `k-core=5`, `k-core=5
    deduplicate=pairs`. Absent from older daemons.
    """
    split: str | None = None
    """How targets are held out: `leave-two-out` in trials of the daemon."""
    mask: str | None = None
    candidates: str | None = None
    """Which items are ranked: `all`, `sampled-100`."""
    backbone: str | None = None
    loss: str | None = None
    negatives: int | None = None
    """Negatives per position; 0 where the loss takes none."""
    max_length: int | None = field(default=None, metadata={"wire": "maxLength"})
    """Longest sequence the model sees, in items."""
    policy: str | None = None
    """Optimiser, schedule, dropout and stopping rule, spelled out."""
    code_version: str | None = field(default=None, metadata={"wire": "codeVersion"})
    """Version of the training code."""
    undeclared: tuple[str, ...] | None = None
    """Columns that an import left unsaid, in their order; the members of these are absent (of an undeclared
    policy what is known of heads and feed-forward factors stays). Older daemons fill them with
    placeholders, or have no such member.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class LawNoise(Value):
    """Where the noise of one training comes from, in metric units."""

    source: str | None = None
    """What says how much a training varies: standard errors that were measured, said or follow from the
    number of users; repeats and residuals alone; or nothing, and then `training` is an assumption and
    predictions have no interval. Absent in laws of former versions.
    """
    evaluation: float | None = None
    """Standard error of a mean over the test users (median); absent where none is known."""
    correlation: float | None = None
    """Mean correlation over users between two trainings; absent where ranks are not stored."""
    training: float
    """Standard deviation of a new training on the same test users."""
    replicates: int


@dataclass(frozen=True, kw_only=True, repr=False)
class LawPage(Value):
    """Stored laws."""

    laws: tuple[Law, ...]
    fits: tuple[FamilyFit, ...]
    """The fits of the families asked for, law by law."""
    next: int | None = None
    """Number to go on before; absent when these were the last."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LawPlace(Value):
    """A distinct place with what was measured there."""

    x: tuple[float, ...]
    """ln N, ln d, ln D'."""
    value: float
    """Mean of the trainings there."""
    variance: float
    """Its variance."""
    own_variance: float | None = field(default=None, metadata={"wire": "ownVariance"})
    """Variance besides, that no factor of the noise scales; absent for none."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LawPriorUse(Value):
    """What a law took from trainings on other datasets; absent where they were not asked."""

    datasets: int
    """Datasets that it was learnt from."""
    shapes: tuple[LawPriorUseShape, ...]
    level_deviation: float = field(metadata={"wire": "levelDeviation"})
    """Standard deviation of ln(metric) that all configurations have in common; 0 where a training ended here.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class LawPriorUseShape(Value):
    """The member of that name of LawPriorUseShape."""

    layers: int
    dim: int
    ratio: float
    """ln of the metric over that of 2 layers of dimension 64."""
    deviation: float
    """By how much datasets differ in it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Lever(Value):
    """One way to scale a model, and what is left to gain by it."""

    name: str
    """`depth`, `width`, `depth and width`, `data x 2`, or a backbone."""
    configuration: DeclaredConfiguration
    gain: float
    """What the best place along it is expected to have more."""
    interval: Interval | None = None
    relative_gain: float = field(metadata={"wire": "relativeGain"})
    """The same over what is there now."""
    cost: Cost
    grade: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Measurement(Value):
    """A mean over users and its standard error."""

    value: float
    """Mean over the ranked users."""
    standard_error: float | None = field(default=None, metadata={"wire": "standardError"})
    """Standard error of the mean; absent where an import does not say it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Observation(Value):
    """What one finished training measured, here or elsewhere.

    Counts that an import does not say are 0; what its key calls undeclared is absent.
    """

    id: int
    """Number of the observation."""
    dataset: str
    key: LawKey
    configuration: DeclaredConfiguration
    tokens: int | None = None
    """Training positions, after truncation to L."""
    apen: float | None = None
    """Approximate entropy that the data size is divided by, in nats."""
    user_fraction: float = field(metadata={"wire": "userFraction"})
    """Share of the users that trained, 1 for all."""
    seed: int
    users: int
    """Users whose target was ranked."""
    metrics: Mapping[str, Measurement]
    epochs: int
    seconds: float
    """Active seconds of the trial."""
    converged: bool
    """False when training ended before its stopping rule ended it; such observations are kept but not fitted.
    """
    job: int | None = None
    trial: int | None = None
    """Number of the trial it came from."""
    status: str | None = None
    """How a training made elsewhere ended, where neither `converged` nor `stoppedByBudget` says it."""
    best_epoch: int | None = field(default=None, metadata={"wire": "bestEpoch"})
    """Epoch that the weights of a training made elsewhere are of."""
    parameters: int | None = None
    """Trainable parameters as counted elsewhere."""
    training_flops: float | None = field(default=None, metadata={"wire": "trainingFlops"})
    """FLOPs of the whole training, as an import states them."""
    memory_bytes: float | None = field(default=None, metadata={"wire": "memoryBytes"})
    """Peak of memory while training, as an import states it."""
    latency_seconds: float | None = field(default=None, metadata={"wire": "latencySeconds"})
    """Latency of a request, as an import states it."""
    source: str | None = None
    """Where the figures of an import come from."""
    forecast: ObservationForecast | None = None
    """Where a training that was cut short was heading; absent for one that ended by itself."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ObservationForecast(Value):
    """Where a training that was cut short was heading; absent for one that ended by itself."""

    gain: float
    """ln of the metric at the end over that where it was cut."""
    deviation: float
    """Standard deviation of it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ObservationPage(Value):
    """Observations, oldest first."""

    observations: tuple[Observation, ...]
    next: int | None = None
    """Number to go on after; absent when these were the last."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Optimum(Value):
    """Closed-form optimum of each axis; absent where the law has no interior maximum there, where the
    observations do not determine it, or where it lies more than an e-fold from them.
    """

    layers: float | None = None
    """Best number of layers, not rounded."""
    dim: float | None = None
    """Best dimension, not rounded."""


@dataclass(frozen=True, kw_only=True, repr=False)
class PerUserApEn(Value):
    """Approximate entropy per user, averaged, as published."""

    m: int
    """Template length."""
    r: float
    """Tolerance."""
    max_length: int = field(metadata={"wire": "maxLength"})
    """Most recent items taken per user."""
    mean: float
    """Mean over all users, nats."""
    users: int
    """Users averaged over."""
    too_short: int = field(metadata={"wire": "tooShort"})
    """Users whose sequence has no template of length m + 1; they count as 0."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(Value):
    """A plan with its price."""

    dataset: str
    trials: tuple[PlannedTrial, ...]
    """In the order they are started, cheapest first; empty when the budget pays none or all are known.

    Of trials chosen one at a time, those it begins with.
    """
    workers: int
    """Trials at once."""
    budget_seconds: float = field(metadata={"wire": "budgetSeconds"})
    """Active wall-clock seconds."""
    predicted_seconds: float = field(metadata={"wire": "predictedSeconds"})
    """Wall-clock seconds of the whole plan."""
    notes: tuple[str, ...]
    """What the planner decided and why."""
    open_seconds: float | None = field(default=None, metadata={"wire": "openSeconds"})
    """Seconds of one worker left for trials that are chosen one at a time; absent for a grid."""
    smallest_difference: SmallestDifference | None = field(default=None, metadata={"wire": "smallestDifference"})
    disk_bytes: int | None = field(default=None, metadata={"wire": "diskBytes"})
    """Bytes that it is expected to write to the state directory."""


@dataclass(frozen=True, kw_only=True, repr=False)
class PlannedTrial(Value):
    """A trial of a plan."""

    configuration: Configuration
    user_fraction: float = field(metadata={"wire": "userFraction"})
    """Share of the users that train."""
    seed: int
    predicted_epochs: float = field(metadata={"wire": "predictedEpochs"})
    predicted_seconds: float = field(metadata={"wire": "predictedSeconds"})
    """On one worker."""
    predicted_log_deviation: float | None = field(default=None, metadata={"wire": "predictedLogDeviation"})
    """Standard deviation of ln(seconds) around the prediction; absent where nothing is known of it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class PooledApEn(Value):
    """Pooled approximate entropy for one template length."""

    m: int
    """Template length."""
    value: float
    """Plug-in conditional entropy of the next item given the last m, nats."""
    bias_corrected: float = field(metadata={"wire": "biasCorrected"})
    """The same with the Miller-Madow correction, nats."""
    singleton_share: float = field(metadata={"wire": "singletonShare"})
    """Share of contexts of length m that occur once."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Potential(Value):
    """What is left to gain."""

    dataset: str
    metric: str
    now: Candidate
    levers: tuple[Lever, ...]
    warnings: tuple[AnswerWarning, ...]
    laws: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class Prediction(Value):
    """A prediction with its cost."""

    dataset: str
    configuration: DeclaredConfiguration
    predicted: Mapping[str, float]
    interval: Mapping[str, Interval]
    cost: Cost
    warnings: tuple[AnswerWarning, ...]
    laws: Mapping[str, int]
    grade: str


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadOptions(Value):
    """Overrides of what the reader would decide, and filters."""

    columns: Mapping[str, str] | None = None
    k_core: int | None = field(default=None, metadata={"wire": "kCore"})
    """Smallest number of interactions that kept users and items have, applied until stable; absent filters
    nothing.
    """
    deduplicate: str | None = None
    """Keeps only the first of equal (user, item) pairs, or of equal (user, item, time) rows."""
    order: str | None = None
    """`file` leaves times unread: interactions of a user stay in the order of the file.

    Absent sorts by time.
    """
    dates: str | None = None
    """What comes first in dates such as 01/12/2010: the day or the month.

    Absent takes what some date of the file tells.
    """
    where: tuple[str, ...] | None = None
    """Conditions that rows must meet to be read, all of them: a column, one of = != >= <= > <, and a value,
    such as `behavior=buy`, `rating>=4`, `date<2014-07-01`. At most 32 of them and 1000 bytes.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadingCounts(Value):
    """What was found while a file was read that changes how far its order can be trusted; members are absent
    where nothing was counted.
    """

    equal_times: int | None = field(default=None, metadata={"wire": "equalTimes"})
    """Interactions at the same time as another of their user: the order of the file decides between them."""
    exact_duplicates: int | None = field(default=None, metadata={"wire": "exactDuplicates"})
    """Interactions that repeat another's user, item and time."""
    removed_duplicates: int | None = field(default=None, metadata={"wire": "removedDuplicates"})
    """Interactions that `deduplicate` removed."""
    removed_by_core: int | None = field(default=None, metadata={"wire": "removedByCore"})
    """Interactions that `kCore` removed."""
    removed_by_conditions: tuple[RemovedRows, ...] | None = field(default=None, metadata={"wire": "removedByConditions"})
    """Rows that each condition of `where` removed: the first that a row does not meet."""
    odd_times: int | None = field(default=None, metadata={"wire": "oddTimes"})
    """Interactions before 1971 or after 2099 where most are between; absent where there is none."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommendation(Value):
    """The best configuration within a budget."""

    dataset: str
    metric: str
    configuration: DeclaredConfiguration
    predicted: Mapping[str, float]
    interval: Mapping[str, Interval]
    cost: Cost
    expected_regret: float = field(metadata={"wire": "expectedRegret"})
    """What the best choice among the observations and within the budget is expected to have more than this
    one, in metric units.
    """
    regret_beyond: float | None = field(default=None, metadata={"wire": "regretBeyond"})
    """The same of all within the budget, also where nothing was observed; absent where there is nothing else.
    """
    grade: str
    reasons: tuple[str, ...]
    """Why this one, in words."""
    cheapest: Candidate
    indistinguishable: tuple[Candidate, ...]
    """Configurations that the laws cannot tell from the best, best first."""
    runners_up: tuple[Candidate, ...] = field(metadata={"wire": "runnersUp"})
    """Next best configurations within the same budget, best first."""
    best_trained: Candidate | None = field(default=None, metadata={"wire": "bestTrained"})
    warnings: tuple[AnswerWarning, ...]
    laws: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class Registered(Value):
    """What was decided and stored."""

    decision: FormatDecision
    dataset: Dataset | None = None
    """Absent in a dry run."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Removed(Value):
    """What was removed."""

    name: str
    observations: int
    """Observations removed with it."""
    laws: int
    """Laws that were served, removed with it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RemovedRows(Value):
    """Rows that a condition removed."""

    condition: str
    count: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(Value):
    """A report."""

    dataset: str
    html: str
    """A page of HTML that is well-formed XML too and refers to nothing outside itself."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SequencePage(Value):
    """A page of what was read."""

    version: str
    sequences: tuple[UserSequence, ...]
    next: int | None = None
    """The `after` of the next page; absent on the last one."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ServerInfo(Value):
    """The state of the daemon."""

    name: str
    version: str
    """Version of the program."""
    protocol_version: str = field(metadata={"wire": "protocolVersion"})
    """Version of this contract; equal major numbers understand each other."""
    pid: int
    uptime_seconds: float = field(metadata={"wire": "uptimeSeconds"})
    """Since the daemon opened its state."""
    state_directory: str = field(metadata={"wire": "stateDirectory"})
    """Where everything is kept."""
    schema_version: str = field(metadata={"wire": "schemaVersion"})
    """Last migration applied to the store."""
    max_request_bytes: int = field(metadata={"wire": "maxRequestBytes"})
    """Largest frame the daemon reads."""
    max_response_bytes: int = field(metadata={"wire": "maxResponseBytes"})
    """Largest answer the daemon sends."""
    max_connections: int | None = field(default=None, metadata={"wire": "maxConnections"})
    """Connections served at once; three quarters of them of one user."""
    datasets: int
    """Registered datasets."""
    observations: int
    """Observations kept."""
    laws: int
    """Laws being served, one per dataset, key and metric."""
    jobs_running: int = field(metadata={"wire": "jobsRunning"})
    """Jobs being worked on."""
    workers: int
    """Trials that may train at once."""
    status: str
    """What the daemon is doing, in one line."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ServerMetrics(Value):
    """Counters since the daemon started, and what it is like now."""

    counters: Mapping[str, float]
    """Name, with labels, to value; of histograms the counts and sums alone."""
    text: str
    """The same in Prometheus text exposition, each name with the prefix `plawd_`, with the classes of the
    histograms.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class SmallestDifference(Value):
    """The smallest difference between two trainings that the dataset's test users can resolve."""

    metric: str
    level: float
    """What the metric is about."""
    difference: float
    """Two standard errors of the difference between two trainings on the same users."""
    is_measured: bool = field(metadata={"wire": "isMeasured"})
    """False where nothing is measured yet and both are typical values."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Started(Value):
    """The job and its plan."""

    job: Job
    plan: Plan


@dataclass(frozen=True, kw_only=True, repr=False)
class TargetFacts(Value):
    """What the test targets of a dataset leave for a model to do, from the data alone; absent in datasets of
    older daemons.
    """

    users: int
    """Users with a test target."""
    candidates: tuple[int, ...]
    """Minimum, lower quartile, median, upper quartile and maximum of the items that a target is ranked among,
    itself included; empty without targets.
    """
    unseen: float
    """Share of the targets that occur in no training history."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Trial(Value):
    """A trial of a job."""

    id: int
    """Number of the trial."""
    index: int
    """Place in the plan, from 1."""
    state: str
    configuration: Configuration
    user_fraction: float = field(metadata={"wire": "userFraction"})
    """Share of the users that train."""
    predicted_seconds: float = field(metadata={"wire": "predictedSeconds"})
    """Predicted when the plan was made, on one worker."""
    predicted_epochs: float = field(metadata={"wire": "predictedEpochs"})
    """Predicted when the plan was made."""
    predicted_log_deviation: float | None = field(default=None, metadata={"wire": "predictedLogDeviation"})
    """Standard deviation of ln(seconds) around the prediction; absent in plans of older versions."""
    seconds: float
    """Active seconds so far."""
    epochs: int | None = None
    """Epochs of a finished trial."""
    progress: TrialProgress | None = None
    """Last progress of a running trial."""
    converged: bool | None = None
    """Of a finished trial."""
    metrics: Mapping[str, Measurement] | None = None
    """Test metrics of a finished trial."""
    message: str | None = None
    """Why it failed, was begun again, was stopped (`stopped`: with its job) or never started (`not started`,
    or with the reason).
    """
    retries: int | None = None
    """How often it was begun again after its worker was killed or ran out of memory; absent where it never
    was.
    """
    log: str | None = None
    """The last lines of its worker, where one ended badly; at most 4096 bytes; of many trials those of the
    last alone.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class TrialProgress(Value):
    """How far a running trial is."""

    phase: str
    epoch: int
    """Epoch in progress, counted from 1."""
    tokens: int
    """Training positions seen in this epoch."""
    epoch_tokens: int = field(metadata={"wire": "epochTokens"})
    """Training positions of an epoch."""
    tokens_per_second: float = field(metadata={"wire": "tokensPerSecond"})
    loss: float | None = None
    """Mean loss of the epoch so far."""
    validation: Mapping[str, float] | None = None
    """Validation metrics of the last epoch, keyed by metric."""
    best: float | None = None
    """Best value of the stopping metric so far."""
    popularity: float | None = None
    """The stopping metric of ranking by popularity; absent from older workers."""
    seconds: float
    """Active seconds of this trial, over all its runs."""


@dataclass(frozen=True, kw_only=True, repr=False)
class UserSequence(Value):
    """Items of a user, in order of time. A user whose items go on begins the next page."""

    user: str
    items: tuple[str, ...]
