"""Methods that are one request and its answer. Written by generate.py; change that instead."""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ._quantities import (
    Choices, Count, Duration, JobLike, LawLike, Shape, Share, Size,
    choices, count, duration, number, number_of, shape, share, size, whole,
)
from ._values import Value
from .answers import (
    Change, Dataset, Entropy, Front, Job, Plan, Potential, Prediction, Recommendation, Removed, Report, ServerInfo, ServerMetrics, Started,
)
from .progress import Progress

T = TypeVar("T", bound=Value)

PARAMETERS = {
    "batchUsers": "batch_users",
    "budgetSeconds": "budget",
    "clipNorm": "clip_norm",
    "id": "job",
    "interactionsX": "interactions_x",
    "latencyX": "latency_x",
    "learningRate": "learning_rate",
    "maxEpochs": "max_epochs",
    "maxFlops": "max_flops",
    "maxLatencySeconds": "max_latency",
    "maxLength": "max_length",
    "maxMemoryBytes": "max_memory",
    "maxParams": "max_params",
    "maxTrainSeconds": "max_train_time",
    "scheduleEpochs": "schedule_epochs",
    "stopMetric": "stop_metric",
    "timeoutSeconds": "timeout",
    "usersX": "users_x",
    "weightDecay": "weight_decay",
    "widthRule": "width_rule",
}
"""Names of parameters on the wire, with those of Python where they differ."""


class Methods:
    """The methods of the daemon that need no more than a request and its answer."""

    async def _ask(self, method: str, kind: type[T], params: Mapping[str, Any] | None = None) -> T:
        raise NotImplementedError

    async def _calibrate(self, progress: Progress, params: Mapping[str, Any]) -> Job:
        raise NotImplementedError

    async def info(self) -> ServerInfo:
        """What is running, its limits and its state.
        """
        return await self._ask("server.info", ServerInfo)

    async def metrics(self) -> ServerMetrics:
        """What the daemon counts and measures of itself.

        Counters are of the time since it started. Names that are no method are counted together as `unknown`.
        docs/users/metrics.md lists every name.
        """
        return await self._ask("metrics.get", ServerMetrics)

    async def dataset(self, name: str) -> Dataset:
        """One dataset with its statistics and entropy.

        Args:
            name: Name of the dataset.
        """
        return await self._ask("dataset.get", Dataset, {
            "name": name,
        })

    async def remove(self, name: str) -> Removed:
        """Removes a dataset with its observations, laws, jobs and files.

        Refused as busy while a job of the dataset has not ended.

        Args:
            name: Name of the dataset.
        """
        return await self._ask("dataset.remove", Removed, {
            "name": name,
        })

    async def entropy(
        self,
        name: str,
        *,
        m: int | None = None,
        r: float | None = None,
        max_length: int | None = None,
    ) -> Entropy:
        """Entropy figures, recomputed where m, r or L differ from the stored ones, and how they move with
        length and users.

        Args:
            name: Name of the dataset.
            m: Template length of per-user ApEn. Default: the stored one, 2.
            r: Tolerance of per-user ApEn. Default: the stored one, 0.2. 1 or more compares item identifiers
                as numbers and needs integers.
            max_length: Most recent items taken per user. Default: what the dataset was registered with.
        """
        return await self._ask("dataset.entropy", Entropy, {
            "name": name,
            "m": whole("m", m),
            "r": number("r", r),
            "maxLength": whole("max_length", max_length),
        })

    async def plan(
        self,
        name: str,
        budget: Duration | None = None,
        *,
        recipe: str | None = None,
        backbone: str | None = None,
        executor: str | None = None,
        loss: str | None = None,
        max_length: int | None = None,
        heads: int | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
        seed: int | None = None,
        workers: int | None = None,
        stop_metric: str | None = None,
        patience: int | None = None,
        max_epochs: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        batch_users: int | None = None,
        negatives: int | None = None,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        warmup: float | None = None,
        schedule: str | None = None,
        schedule_epochs: int | None = None,
        width_rule: str | None = None,
        grid: str | None = None,
        max_params: Count | None = None,
        max_flops: Count | None = None,
        max_memory: Size | None = None,
        max_latency: Duration | None = None,
        max_train_time: Duration | None = None,
        tolerance: Share | None = None,
        current: Shape | None = None,
    ) -> Plan:
        """What a calibration would train and what it would cost; trains nothing but a probe of seconds.

        Speeds are measured once per dataset and setting, which takes the daemon some seconds, and are then
        kept: that is why planning needs write access.

        Args:
            name: Name of the dataset.
            budget: Active wall-clock seconds. Default: 600.
            recipe: How models are trained; members below may differ from it. Default: standard.
            backbone: Transformer family. Default: sasrec.
            executor: Who trains, by a name of the daemon's configuration (docs/users/clusters.md). The
                daemon's own workers by default.
            loss: Training objective. Unless given: `cce`; for a catalogue of 20,000 items or more
                `sampled-softmax` where the budget pays a whole design with it but not with `cce`.
            max_length: Longest sequence the models see, L, in items. Default: 50.
            heads: Attention heads; must divide every level of `dims`. Default: 2.
            layers: Levels of N. Default: chosen from the budget; at most 1,000 configurations of both
                together.
            dims: Levels of d. Default: chosen from the budget; at most 1,000 configurations of both together.
            seed: Seed of every trial. Default: 1.
            workers: Trials at once, at most the daemon's. Default: all of them.
            stop_metric: Validation metric that early stopping maximises. Default: ndcg@10.
            patience: Validations without improvement after which training stops, at least. Default: the
                recipe's.
            max_epochs: Epochs after which training stops. Default: 200.
            learning_rate: The optimiser's learning rate. Default: the recipe's: `published` 0.001, `standard`
                0.002 at dimension 64.
            dropout: Dropout rate. Default: 0.5.
            batch_users: Users in an optimiser step. Default: the recipe's: `published` 256, `standard` as
                many as have about 1,500 training positions, and 24 steps an epoch at least.
            negatives: Negatives per position, or per batch for `sampled-softmax`; the other losses ignore it.
                Unless given: 1 for `bce`, `bpr`, `top1`, 128 for `bpr-max`, `top1-max`, 256 for `gbce`, 1024 for
                `sampled-softmax`.
            weight_decay: Decoupled weight decay of AdamW. Default: 0.
            clip_norm: Largest norm of a gradient; a longer one is cut to it. 0 for no limit. Default: 0.
            warmup: Share of the expected steps over which the learning rate rises from 0. Default: 0.
            schedule: How the learning rate goes on after its warm-up. Default: constant.
            schedule_epochs: Epochs whose steps warm-up and schedule count by; 0 for `maxEpochs`. Default: 0.
            width_rule: How learning rate, dropout, initial values and scores follow the dimension. Default:
                the recipe's: `published` plain, `standard` root.
            grid: Train the whole grid known by this name: `paper` is N of 4, 8, 12, 16, 24, 32 by d of 25,
                50, 75, 100, where a dimension that `heads` does not divide gets the most heads that fit. Not
                together with `layers` or `dims`. Without any of the three, trials are chosen one at a time.
            max_params: Most trainable parameters of the answer: trials chosen one at a time are spent on what
                it can be told from.
            max_flops: Most FLOPs of one training of the answer to convergence.
            max_memory: Most memory of a training of the answer.
            max_latency: Longest time in which the answer ranks all items for one user on one core.
            max_train_time: Longest training of the answer on one core.
            tolerance: Expected regret over the predicted metric at which trials chosen one at a time end.
                Default: 0.01.
            current: What is trained today: it is trained beside the standard shape, 2 layers of dimension 64,
                and compared. Not beside layers, dims or grid.
        """
        return await self._ask("calibration.plan", Plan, {
            "name": name,
            "budgetSeconds": duration("budget", budget),
            "recipe": recipe,
            "backbone": backbone,
            "executor": executor,
            "loss": loss,
            "maxLength": whole("max_length", max_length),
            "heads": whole("heads", heads),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
            "seed": whole("seed", seed),
            "workers": whole("workers", workers),
            "stopMetric": stop_metric,
            "patience": whole("patience", patience),
            "maxEpochs": whole("max_epochs", max_epochs),
            "learningRate": number("learning_rate", learning_rate),
            "dropout": number("dropout", dropout),
            "batchUsers": whole("batch_users", batch_users),
            "negatives": whole("negatives", negatives),
            "weightDecay": number("weight_decay", weight_decay),
            "clipNorm": number("clip_norm", clip_norm),
            "warmup": number("warmup", warmup),
            "schedule": schedule,
            "scheduleEpochs": whole("schedule_epochs", schedule_epochs),
            "widthRule": width_rule,
            "grid": grid,
            "maxParams": count("max_params", max_params),
            "maxFlops": count("max_flops", max_flops),
            "maxMemoryBytes": size("max_memory", max_memory),
            "maxLatencySeconds": duration("max_latency", max_latency),
            "maxTrainSeconds": duration("max_train_time", max_train_time),
            "tolerance": share("tolerance", tolerance),
            "current": shape("current", current),
        })

    async def start(
        self,
        name: str,
        budget: Duration | None = None,
        *,
        recipe: str | None = None,
        backbone: str | None = None,
        executor: str | None = None,
        loss: str | None = None,
        max_length: int | None = None,
        heads: int | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
        seed: int | None = None,
        workers: int | None = None,
        stop_metric: str | None = None,
        patience: int | None = None,
        max_epochs: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        batch_users: int | None = None,
        negatives: int | None = None,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        warmup: float | None = None,
        schedule: str | None = None,
        schedule_epochs: int | None = None,
        width_rule: str | None = None,
        grid: str | None = None,
        max_params: Count | None = None,
        max_flops: Count | None = None,
        max_memory: Size | None = None,
        max_latency: Duration | None = None,
        max_train_time: Duration | None = None,
        tolerance: Share | None = None,
        current: Shape | None = None,
    ) -> Started:
        """Starts a calibration as a job that outlives the connection.

        Jobs run one after the other in the order they were started, each with its workers; a job interrupted
        by a stop of the daemon goes on at its next start. When a job ends, the laws of its own key are fitted
        anew. Trials that are known, from a converged observation with the same key, configuration, share of
        users and seed, are not repeated. Refused as infeasible when the budget pays no new trial.

        Args:
            name: Name of the dataset.
            budget: Active wall-clock seconds. Default: 600.
            recipe: How models are trained; members below may differ from it. Default: standard.
            backbone: Transformer family. Default: sasrec.
            executor: Who trains, by a name of the daemon's configuration (docs/users/clusters.md). The
                daemon's own workers by default.
            loss: Training objective. Unless given: `cce`; for a catalogue of 20,000 items or more
                `sampled-softmax` where the budget pays a whole design with it but not with `cce`.
            max_length: Longest sequence the models see, L, in items. Default: 50.
            heads: Attention heads; must divide every level of `dims`. Default: 2.
            layers: Levels of N. Default: chosen from the budget; at most 1,000 configurations of both
                together.
            dims: Levels of d. Default: chosen from the budget; at most 1,000 configurations of both together.
            seed: Seed of every trial. Default: 1.
            workers: Trials at once, at most the daemon's. Default: all of them.
            stop_metric: Validation metric that early stopping maximises. Default: ndcg@10.
            patience: Validations without improvement after which training stops, at least. Default: the
                recipe's.
            max_epochs: Epochs after which training stops. Default: 200.
            learning_rate: The optimiser's learning rate. Default: the recipe's: `published` 0.001, `standard`
                0.002 at dimension 64.
            dropout: Dropout rate. Default: 0.5.
            batch_users: Users in an optimiser step. Default: the recipe's: `published` 256, `standard` as
                many as have about 1,500 training positions, and 24 steps an epoch at least.
            negatives: Negatives per position, or per batch for `sampled-softmax`; the other losses ignore it.
                Unless given: 1 for `bce`, `bpr`, `top1`, 128 for `bpr-max`, `top1-max`, 256 for `gbce`, 1024 for
                `sampled-softmax`.
            weight_decay: Decoupled weight decay of AdamW. Default: 0.
            clip_norm: Largest norm of a gradient; a longer one is cut to it. 0 for no limit. Default: 0.
            warmup: Share of the expected steps over which the learning rate rises from 0. Default: 0.
            schedule: How the learning rate goes on after its warm-up. Default: constant.
            schedule_epochs: Epochs whose steps warm-up and schedule count by; 0 for `maxEpochs`. Default: 0.
            width_rule: How learning rate, dropout, initial values and scores follow the dimension. Default:
                the recipe's: `published` plain, `standard` root.
            grid: Train the whole grid known by this name: `paper` is N of 4, 8, 12, 16, 24, 32 by d of 25,
                50, 75, 100, where a dimension that `heads` does not divide gets the most heads that fit. Not
                together with `layers` or `dims`. Without any of the three, trials are chosen one at a time.
            max_params: Most trainable parameters of the answer: trials chosen one at a time are spent on what
                it can be told from.
            max_flops: Most FLOPs of one training of the answer to convergence.
            max_memory: Most memory of a training of the answer.
            max_latency: Longest time in which the answer ranks all items for one user on one core.
            max_train_time: Longest training of the answer on one core.
            tolerance: Expected regret over the predicted metric at which trials chosen one at a time end.
                Default: 0.01.
            current: What is trained today: it is trained beside the standard shape, 2 layers of dimension 64,
                and compared. Not beside layers, dims or grid.
        """
        return await self._ask("calibration.start", Started, {
            "name": name,
            "budgetSeconds": duration("budget", budget),
            "recipe": recipe,
            "backbone": backbone,
            "executor": executor,
            "loss": loss,
            "maxLength": whole("max_length", max_length),
            "heads": whole("heads", heads),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
            "seed": whole("seed", seed),
            "workers": whole("workers", workers),
            "stopMetric": stop_metric,
            "patience": whole("patience", patience),
            "maxEpochs": whole("max_epochs", max_epochs),
            "learningRate": number("learning_rate", learning_rate),
            "dropout": number("dropout", dropout),
            "batchUsers": whole("batch_users", batch_users),
            "negatives": whole("negatives", negatives),
            "weightDecay": number("weight_decay", weight_decay),
            "clipNorm": number("clip_norm", clip_norm),
            "warmup": number("warmup", warmup),
            "schedule": schedule,
            "scheduleEpochs": whole("schedule_epochs", schedule_epochs),
            "widthRule": width_rule,
            "grid": grid,
            "maxParams": count("max_params", max_params),
            "maxFlops": count("max_flops", max_flops),
            "maxMemoryBytes": size("max_memory", max_memory),
            "maxLatencySeconds": duration("max_latency", max_latency),
            "maxTrainSeconds": duration("max_train_time", max_train_time),
            "tolerance": share("tolerance", tolerance),
            "current": shape("current", current),
        })

    async def calibrate(
        self,
        name: str,
        budget: Duration | None = None,
        *,
        recipe: str | None = None,
        backbone: str | None = None,
        executor: str | None = None,
        loss: str | None = None,
        max_length: int | None = None,
        heads: int | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
        seed: int | None = None,
        workers: int | None = None,
        stop_metric: str | None = None,
        patience: int | None = None,
        max_epochs: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        batch_users: int | None = None,
        negatives: int | None = None,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        warmup: float | None = None,
        schedule: str | None = None,
        schedule_epochs: int | None = None,
        width_rule: str | None = None,
        grid: str | None = None,
        max_params: Count | None = None,
        max_flops: Count | None = None,
        max_memory: Size | None = None,
        max_latency: Duration | None = None,
        max_train_time: Duration | None = None,
        tolerance: Share | None = None,
        current: Shape | None = None,
        progress: Progress = "auto",
    ) -> Job:
        """Calibrates a dataset and returns the job when it has ended.

        Trains what a law needs, within a budget of time, and fits the laws. Ctrl-C, or the cancellation of
        the task, cancels the job. A job that fails, is cancelled by others or ends without a law raises
        `JobFailedError`; where the daemon goes away meanwhile, `ConnectionLostError` has the job's number,
        and `watch` follows it again.

        Args:
            name: Name of the dataset.
            budget: Active wall-clock seconds. Default: 600.
            recipe: How models are trained; members below may differ from it. Default: standard.
            backbone: Transformer family. Default: sasrec.
            executor: Who trains, by a name of the daemon's configuration (docs/users/clusters.md). The
                daemon's own workers by default.
            loss: Training objective. Unless given: `cce`; for a catalogue of 20,000 items or more
                `sampled-softmax` where the budget pays a whole design with it but not with `cce`.
            max_length: Longest sequence the models see, L, in items. Default: 50.
            heads: Attention heads; must divide every level of `dims`. Default: 2.
            layers: Levels of N. Default: chosen from the budget; at most 1,000 configurations of both
                together.
            dims: Levels of d. Default: chosen from the budget; at most 1,000 configurations of both together.
            seed: Seed of every trial. Default: 1.
            workers: Trials at once, at most the daemon's. Default: all of them.
            stop_metric: Validation metric that early stopping maximises. Default: ndcg@10.
            patience: Validations without improvement after which training stops, at least. Default: the
                recipe's.
            max_epochs: Epochs after which training stops. Default: 200.
            learning_rate: The optimiser's learning rate. Default: the recipe's: `published` 0.001, `standard`
                0.002 at dimension 64.
            dropout: Dropout rate. Default: 0.5.
            batch_users: Users in an optimiser step. Default: the recipe's: `published` 256, `standard` as
                many as have about 1,500 training positions, and 24 steps an epoch at least.
            negatives: Negatives per position, or per batch for `sampled-softmax`; the other losses ignore it.
                Unless given: 1 for `bce`, `bpr`, `top1`, 128 for `bpr-max`, `top1-max`, 256 for `gbce`, 1024 for
                `sampled-softmax`.
            weight_decay: Decoupled weight decay of AdamW. Default: 0.
            clip_norm: Largest norm of a gradient; a longer one is cut to it. 0 for no limit. Default: 0.
            warmup: Share of the expected steps over which the learning rate rises from 0. Default: 0.
            schedule: How the learning rate goes on after its warm-up. Default: constant.
            schedule_epochs: Epochs whose steps warm-up and schedule count by; 0 for `maxEpochs`. Default: 0.
            width_rule: How learning rate, dropout, initial values and scores follow the dimension. Default:
                the recipe's: `published` plain, `standard` root.
            grid: Train the whole grid known by this name: `paper` is N of 4, 8, 12, 16, 24, 32 by d of 25,
                50, 75, 100, where a dimension that `heads` does not divide gets the most heads that fit. Not
                together with `layers` or `dims`. Without any of the three, trials are chosen one at a time.
            max_params: Most trainable parameters of the answer: trials chosen one at a time are spent on what
                it can be told from.
            max_flops: Most FLOPs of one training of the answer to convergence.
            max_memory: Most memory of a training of the answer.
            max_latency: Longest time in which the answer ranks all items for one user on one core.
            max_train_time: Longest training of the answer on one core.
            tolerance: Expected regret over the predicted metric at which trials chosen one at a time end.
                Default: 0.01.
            current: What is trained today: it is trained beside the standard shape, 2 layers of dimension 64,
                and compared. Not beside layers, dims or grid.
            progress: `"auto"` shows a bar in a terminal and in a notebook, None shows nothing. A function is
                called with every new state of the job.
        """
        return await self._calibrate(progress, {
            "name": name,
            "budgetSeconds": duration("budget", budget),
            "recipe": recipe,
            "backbone": backbone,
            "executor": executor,
            "loss": loss,
            "maxLength": whole("max_length", max_length),
            "heads": whole("heads", heads),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
            "seed": whole("seed", seed),
            "workers": whole("workers", workers),
            "stopMetric": stop_metric,
            "patience": whole("patience", patience),
            "maxEpochs": whole("max_epochs", max_epochs),
            "learningRate": number("learning_rate", learning_rate),
            "dropout": number("dropout", dropout),
            "batchUsers": whole("batch_users", batch_users),
            "negatives": whole("negatives", negatives),
            "weightDecay": number("weight_decay", weight_decay),
            "clipNorm": number("clip_norm", clip_norm),
            "warmup": number("warmup", warmup),
            "schedule": schedule,
            "scheduleEpochs": whole("schedule_epochs", schedule_epochs),
            "widthRule": width_rule,
            "grid": grid,
            "maxParams": count("max_params", max_params),
            "maxFlops": count("max_flops", max_flops),
            "maxMemoryBytes": size("max_memory", max_memory),
            "maxLatencySeconds": duration("max_latency", max_latency),
            "maxTrainSeconds": duration("max_train_time", max_train_time),
            "tolerance": share("tolerance", tolerance),
            "current": shape("current", current),
        })

    async def job(self, job: JobLike) -> Job:
        """One job with its trials.

        Args:
            job: Number of the job.
        """
        return await self._ask("job.get", Job, {
            "id": number_of("job", job),
        })

    async def wait(self, job: JobLike, *, timeout: Duration | None = None) -> Job:
        """Answers when the job has ended, or with its state when the time is over.

        Args:
            job: Number of the job.
            timeout: Longest time to wait. Default: 60.
        """
        return await self._ask("job.wait", Job, {
            "id": number_of("job", job),
            "timeoutSeconds": duration("timeout", timeout),
        })

    async def cancel(self, job: JobLike) -> Job:
        """Stops a job; finished trials are kept.

        Answers at once with the state of the job, which is final only when its workers have stopped:
        `job.wait` waits for that. Laws are fitted from the trials that finished. A job that has ended stays
        as it is.

        Args:
            job: Number of the job.
        """
        return await self._ask("job.cancel", Job, {
            "id": number_of("job", job),
        })

    async def predict(
        self,
        name: str,
        layers: int,
        dim: int,
        *,
        heads: int | None = None,
        loss: str | None = None,
        backbone: str | None = None,
        force: bool | None = None,
        law: LawLike | None = None,
    ) -> Prediction:
        """What the laws expect of one configuration.

        Refused as outside the domain more than 2 e-folds outside the convex hull of the observations unless
        forced, and for configurations that cannot be trained.

        Args:
            name: Name of the dataset.
            layers: Transformer blocks N.
            dim: Embedding dimension d.
            heads: Attention heads, of a backbone a divisor of `dim`. Default: those of the observations.
            loss: Loss of the laws. Default: that of the key with most evidence.
            backbone: Only this backbone, or this model of an import. Default: those of all fitted ones.
            force: Answer also more than 2 e-folds outside the observations. Default: False.
            law: Number of a law, whose key alone is asked, also where it was fitted anew since. Unless given,
                the key with most evidence answers, and with it those of other models measured in the same way.
        """
        return await self._ask("law.predict", Prediction, {
            "name": name,
            "layers": whole("layers", layers),
            "dim": whole("dim", dim),
            "heads": whole("heads", heads),
            "loss": loss,
            "backbone": backbone,
            "force": force,
            "law": number_of("law", law),
        })

    async def recommend(
        self,
        name: str,
        *,
        max_params: Count | None = None,
        max_flops: Count | None = None,
        max_memory: Size | None = None,
        max_latency: Duration | None = None,
        max_train_time: Duration | None = None,
        metric: str | None = None,
        loss: str | None = None,
        backbone: str | None = None,
        force: bool | None = None,
        law: LawLike | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
    ) -> Recommendation:
        """The best layers and dimension within a budget.

        A limit that is not given does not bind. A trained configuration within the budget that measured
        better than any prediction is recommended as it is.

        Args:
            name: Name of the dataset.
            max_params: Most trainable parameters, item embeddings included.
            max_flops: Most floating-point operations of one training to convergence.
            max_memory: Largest peak of training, resident bytes.
            max_latency: Longest time to rank all items for one user on one core.
            max_train_time: Longest training to convergence on one core.
            metric: What to maximise; there must be a law for it. Default: ndcg@10.
            loss: Loss of the laws. Default: that of the key with most evidence.
            backbone: Only this backbone, or this model of an import. Default: those of all fitted ones.
            force: Answer also more than 2 e-folds outside the observations. Default: False.
            law: Number of a law, whose key alone is asked, also where it was fitted anew since. Unless given,
                the key with most evidence answers, and with it those of other models measured in the same way.
            layers: Numbers of layers that alone are considered, at most 4096. Default: all of the search
                space.
            dims: Dimensions that alone are considered, at most 4096. Default: all of the search space.
        """
        return await self._ask("advisor.recommend", Recommendation, {
            "name": name,
            "maxParams": count("max_params", max_params),
            "maxFlops": count("max_flops", max_flops),
            "maxMemoryBytes": size("max_memory", max_memory),
            "maxLatencySeconds": duration("max_latency", max_latency),
            "maxTrainSeconds": duration("max_train_time", max_train_time),
            "metric": metric,
            "loss": loss,
            "backbone": backbone,
            "force": force,
            "law": number_of("law", law),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
        })

    async def pareto(
        self,
        name: str,
        *,
        currency: str | None = None,
        metric: str | None = None,
        loss: str | None = None,
        backbone: str | None = None,
        law: LawLike | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
    ) -> Front:
        """The configurations that no other beats in both quality and one currency.

        Of more points than 8 MiB hold as many are evenly chosen, with the first and the last.

        Args:
            name: Name of the dataset.
            currency: What quality is bought with. Default: parameters.
            metric: What to maximise; there must be a law for it. Default: ndcg@10.
            loss: Loss of the laws. Default: that of the key with most evidence.
            backbone: Only this backbone, or this model of an import. Default: those of all fitted ones.
            law: Number of a law, whose key alone is asked, also where it was fitted anew since. Unless given,
                the key with most evidence answers, and with it those of other models measured in the same way.
            layers: Numbers of layers that alone are considered, at most 4096. Default: all of the search
                space.
            dims: Dimensions that alone are considered, at most 4096. Default: all of the search space.
        """
        return await self._ask("advisor.pareto", Front, {
            "name": name,
            "currency": currency,
            "metric": metric,
            "loss": loss,
            "backbone": backbone,
            "law": number_of("law", law),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
        })

    async def potential(
        self,
        name: str,
        *,
        layers: int | None = None,
        dim: int | None = None,
        metric: str | None = None,
        loss: str | None = None,
        backbone: str | None = None,
        law: LawLike | None = None,
    ) -> Potential:
        """What is left to gain by depth, width, data and other backbones.

        A gain is what the best place along a lever is expected to have more than the configuration in use,
        over joint draws of the law: which place is best is not known. `configuration` is the place with the
        highest expectation. Looks at most one e-fold beyond the observations; doubled data is priced as twice
        the users.

        Args:
            name: Name of the dataset.
            layers: Layers in use, with `dim`. Default: the best trained configuration.
            dim: Dimension in use.
            metric: What to maximise; there must be a law for it. Default: ndcg@10.
            loss: Loss of the laws. Default: that of the key with most evidence.
            backbone: Backbone in use. Default: that of the best.
            law: Number of a law, whose key alone is asked, also where it was fitted anew since. Unless given,
                the key with most evidence answers, and with it those of other models measured in the same way.
        """
        return await self._ask("advisor.potential", Potential, {
            "name": name,
            "layers": whole("layers", layers),
            "dim": whole("dim", dim),
            "metric": metric,
            "loss": loss,
            "backbone": backbone,
            "law": number_of("law", law),
        })

    async def what_if(
        self,
        name: str,
        *,
        users_x: float | None = None,
        interactions_x: float | None = None,
        latency_x: float | None = None,
        max_length: int | None = None,
        max_params: Count | None = None,
        max_flops: Count | None = None,
        max_memory: Size | None = None,
        max_latency: Duration | None = None,
        max_train_time: Duration | None = None,
        metric: str | None = None,
        loss: str | None = None,
        force: bool | None = None,
        law: LawLike | None = None,
        layers: Choices | None = None,
        dims: Choices | None = None,
    ) -> Change:
        """The best configuration before and after a change of data, latency or length.

        Both answers are those of `advisor.recommend`, over all backbones. More data goes into the costs and
        into the law's data term: more users of the same kind, or the history of each longer, cut at the
        maximum length. Refused where one data size was observed, where the lengths of the histories are not
        known, and more than 2 e-folds beyond the data observed unless forced. Another length is answered from
        a law of that length.

        Args:
            name: Name of the dataset.
            users_x: Factor of the number of users, who are of the same kind.
            interactions_x: Factor of the length of each user's history, which is cut at the maximum length.
            latency_x: Factor of the latency that the best configuration has now.
            max_length: Another maximum length; there must be a law of it.
            max_params: Most trainable parameters, item embeddings included.
            max_flops: Most floating-point operations of one training to convergence.
            max_memory: Largest peak of training, resident bytes.
            max_latency: Longest time to rank all items for one user on one core.
            max_train_time: Longest training to convergence on one core.
            metric: What to maximise; there must be a law for it. Default: ndcg@10.
            loss: Loss of the laws. Default: that of the key with most evidence.
            force: Answer also more than 2 e-folds outside the observations. Default: False.
            law: Number of a law, whose key alone is asked, also where it was fitted anew since. Unless given,
                the key with most evidence answers, and with it those of other models measured in the same way.
            layers: Numbers of layers that alone are considered, at most 4096. Default: all of the search
                space.
            dims: Dimensions that alone are considered, at most 4096. Default: all of the search space.
        """
        return await self._ask("advisor.whatIf", Change, {
            "name": name,
            "usersX": number("users_x", users_x),
            "interactionsX": number("interactions_x", interactions_x),
            "latencyX": number("latency_x", latency_x),
            "maxLength": whole("max_length", max_length),
            "maxParams": count("max_params", max_params),
            "maxFlops": count("max_flops", max_flops),
            "maxMemoryBytes": size("max_memory", max_memory),
            "maxLatencySeconds": duration("max_latency", max_latency),
            "maxTrainSeconds": duration("max_train_time", max_train_time),
            "metric": metric,
            "loss": loss,
            "force": force,
            "law": number_of("law", law),
            "layers": choices("layers", layers),
            "dims": choices("dims", dims),
        })

    async def report(self, name: str, *, metric: str | None = None, loss: str | None = None) -> Report:
        """Everything known of a dataset as one self-contained page of HTML.

        Facts, entropy, laws with plots and residuals, the recommendation without a budget, the front of
        quality against cost, observations. Where nothing can be recommended the page says why.

        Args:
            name: Name of the dataset.
            metric: What the recommendation maximises. Default: ndcg@10, where there is a law for it.
            loss: Laws of this loss. Default: the best supported ones.
        """
        return await self._ask("report.render", Report, {
            "name": name,
            "metric": metric,
            "loss": loss,
        })
