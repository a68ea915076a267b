#!/usr/bin/env python3
"""Write src/plaw/_wire.py and src/plaw/_methods.py from protos/plaw.openrpc.json.

python3 clients/python/generate.py            write both files
python3 clients/python/generate.py --check    exit 1 where they are not current
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE / "../../protos/plaw.openrpc.json"
PACKAGE = HERE / "src/plaw"
WIDTH = 110
Schema = dict[str, Any]

# Names of schemas that read better in Python. The others keep their own.
CLASSES = {
    "AdvisorParetoResult": "Front",
    "AdvisorPotentialResult": "Potential",
    "AdvisorWhatIfResult": "Change",
    "CalibrationPlanResult": "Plan",
    "CalibrationStartResult": "Started",
    "DatasetEntropyResult": "Entropy",
    "DatasetInfo": "Dataset",
    "DatasetInspectResult": "Inspection",
    "DatasetListResult": "DatasetPage",
    "DatasetRegisterResult": "Registered",
    "DatasetRemoveResult": "Removed",
    "DatasetSequencesResult": "SequencePage",
    "JobListResult": "JobPage",
    "LawListResult": "LawPage",
    "LawPredictResult": "Prediction",
    "MetricsGetResult": "ServerMetrics",
    "ObservationImportResult": "Imported",
    "ObservationListResult": "ObservationPage",
    "ReportRenderResult": "Report",
    "ServerInfoResult": "ServerInfo",
    "TrialState": "Trial",
    "Warning": "AnswerWarning",
}
# Schemas that clients have no use for as objects.
SKIPPED = {"CancelRequestParams", "DatasetUploadResult", "ErrorData", "OpenRPCDocument", "StoreBackupResult"}

# Parameters whose Python form differs from the wire: name, type, and the function of _quantities that reads it.
PARAMETERS = {
    "budgetSeconds": ("budget", "Duration", "duration"),
    "timeoutSeconds": ("timeout", "Duration", "duration"),
    "maxParams": ("max_params", "Count", "count"),
    "maxFlops": ("max_flops", "Count", "count"),
    "maxMemoryBytes": ("max_memory", "Size", "size"),
    "maxLatencySeconds": ("max_latency", "Duration", "duration"),
    "maxTrainSeconds": ("max_train_time", "Duration", "duration"),
    "tolerance": ("tolerance", "Share", "share"),
    "current": ("current", "Shape", "shape"),
    "law": ("law", "LawLike", "number_of"),
    "dims": ("dims", "Choices", "choices"),
}
# Methods that are one request and its answer: name in Python, name on the wire, class of the answer. Arguments in
# PLACED may be given by place as well as by name.
METHODS = [
    ("info", "server.info", "ServerInfo"),
    ("metrics", "metrics.get", "ServerMetrics"),
    ("dataset", "dataset.get", "Dataset"),
    ("remove", "dataset.remove", "Removed"),
    ("entropy", "dataset.entropy", "Entropy"),
    ("plan", "calibration.plan", "Plan"),
    ("start", "calibration.start", "Started"),
    ("calibrate", "calibration.start", "Job"),
    ("job", "job.get", "Job"),
    ("wait", "job.wait", "Job"),
    ("cancel", "job.cancel", "Job"),
    ("predict", "law.predict", "Prediction"),
    ("recommend", "advisor.recommend", "Recommendation"),
    ("pareto", "advisor.pareto", "Front"),
    ("potential", "advisor.potential", "Potential"),
    ("what_if", "advisor.whatIf", "Change"),
    ("report", "report.render", "Report"),
]
PLACED = {("predict", "layers"), ("predict", "dim")} | {
    (name, "budgetSeconds") for name in ("calibrate", "plan", "start")
}
# What stands in the docstring beyond the words of the document.
NOTES = {
    "calibrate": (
        "Calibrates a dataset and returns the job when it has ended.",
        "Trains what a law needs, within a budget of time, and fits the laws. Ctrl-C, or the cancellation of the "
        "task, cancels the job. A job that fails, is cancelled by others or ends without a law raises "
        "`JobFailedError`; where the daemon goes away meanwhile, `ConnectionLostError` has the job's number, and "
        "`watch` follows it again.",
    ),
}
PROGRESS = (
    "progress: Progress",
    '`"auto"` shows a bar in a terminal and in a notebook, None shows nothing. A function is called with '
    "every new state of the job.",
)


def snake(name: str) -> str:
    """Turn `effectiveTokens` into `effective_tokens`, and `pooledApEn` into `pooled_apen`."""
    name = name.replace("ApEn", "Apen")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return name + "_" if keyword.iskeyword(name) else name


def fill(text: str, indent: str, first: str = "") -> str:
    """Wrap a text to the width of the file."""
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=indent + first,
        subsequent_indent=indent + " " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def docstring(text: str, indent: str) -> list[str]:
    text = " ".join(text.split()).replace("\\", "\\\\")
    line = f'{indent}"""{text}"""'
    if len(line) <= WIDTH:
        return [line]
    head, _, rest = text.partition(". ")
    if rest and len(f'{indent}"""{head}.') <= WIDTH:
        return [f'{indent}"""{head}.', "", fill(rest, indent), f'{indent}"""']
    return [fill(text, indent, '"""').replace("\n" + indent + "   ", "\n" + indent), f'{indent}"""']


class Types:
    """The classes of the wire."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self.classes: dict[str, list[str]] = {}

    def of(self, schema: Schema, owner: str) -> str:
        """Return the annotation of a schema. A class is written for an object that has none yet."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name == "Timestamp":
                return "datetime"
            target = self.schemas[name]
            if "properties" not in target:
                return self.of(target, name)
            return self.write(name, target)
        kind = schema.get("type")
        if kind == "array":
            return f"tuple[{self.of(schema['items'], owner.removesuffix('s'))}, ...]"
        if kind == "object":
            if "properties" in schema:
                return self.write(owner, schema)
            more = schema.get("additionalProperties")
            return f"Mapping[str, {self.of(more, owner)}]" if isinstance(more, dict) else "Mapping[str, Any]"
        return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[str(kind)]

    def write(self, name: str, schema: Schema) -> str:
        name = CLASSES.get(name, name)
        if name in self.classes:
            return name
        self.classes[name] = []
        lines = ["@dataclass(frozen=True, kw_only=True, repr=False)", f"class {name}(Value):"]
        lines += docstring(schema.get("description") or f"The member of that name of {name}.", "    ")
        lines.append("")
        required = schema.get("required", [])
        for member, inner in schema["properties"].items():
            annotation = self.of(inner, name + member[0].upper() + member[1:])
            options = [] if member in required else ["default=None"]
            if snake(member) != member:
                options.append(f'metadata={{"wire": "{member}"}}')
            line = f"    {snake(member)}: {annotation}" + ("" if member in required else " | None")
            if options == ["default=None"]:
                line += " = None"
            elif options:
                line += f" = field({', '.join(options)})"
            lines.append(line)
            if inner.get("description"):
                lines += docstring(inner["description"], "    ")
        self.classes[name] = lines
        return name


def wire(document: Schema) -> str:
    """Return the text of _wire.py."""
    types = Types(document["components"]["schemas"])
    for name, schema in sorted(types.schemas.items()):
        if "properties" in schema and name not in SKIPPED:
            types.write(name, schema)
    lines = [
        '"""What the daemon answers, as frozen dataclasses. Written by generate.py; change that instead."""',
        "",
        "# ruff: noqa: E501",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from dataclasses import dataclass, field",
        "from datetime import datetime",
        "",
        "from ._values import Value",
        "",
        f'PROTOCOL = "{document["info"]["version"]}"',
        '"""Version of the protocol that this package was made for."""',
    ]
    for name in sorted(types.classes):
        lines += ["", "", *types.classes[name]]
    return "\n".join(lines) + "\n"


def parameter(method: str, param: Schema, types: Types) -> tuple[str, str, str]:
    """Return name, annotation and reading of a parameter."""
    name, schema = param["name"], param["schema"]
    if (method, name) in {("job", "id"), ("wait", "id"), ("cancel", "id")}:
        return "job", "JobLike", 'number_of("job", job)'
    if name in PARAMETERS:
        python, annotation, reader = PARAMETERS[name]
        return python, annotation, f'{reader}("{python}", {python})'
    if name == "layers" and schema.get("type") == "array":
        return "layers", "Choices", 'choices("layers", layers)'
    python, annotation = snake(name), types.of(schema, name)
    if annotation in ("int", "float"):
        return python, annotation, f'{"whole" if annotation == "int" else "number"}("{python}", {python})'
    return python, annotation, python


def methods(document: Schema) -> str:
    """Return the text of _methods.py."""
    types = Types(document["components"]["schemas"])
    by_name = {method["name"]: method for method in document["methods"]}
    names: dict[str, str] = {}
    body: list[str] = []
    for python, remote, result in METHODS:
        method = by_name[remote]
        placed: list[str] = []
        named: list[str] = []
        documented: list[tuple[str, str]] = []
        members: list[str] = []
        for param in sorted(method["params"], key=lambda p: not p.get("required")):
            name, annotation, reading = parameter(python, param, types)
            default = "" if param.get("required") else " | None = None"
            place = param.get("required") or (python, param["name"]) in PLACED
            (placed if place else named).append(f"{name}: {annotation}{default}")
            members.append(f'"{param["name"]}": {reading}')
            text = param.get("description", "")
            if "default" in param["schema"]:
                text += f" Default: {param['schema']['default']!s}."
            documented.append((name, text))
            if name != snake(param["name"]) or name != param["name"]:
                names[param["name"]] = name
        summary, description = NOTES.get(python, (method["summary"], method.get("description", "")))
        if python == "calibrate":
            named.append(f'{PROGRESS[0]} = "auto"')
            documented.append(("progress", PROGRESS[1]))
        arguments = ["self", *placed, *(["*"] if named else []), *named]
        head = f"    async def {python}({', '.join(arguments)}) -> {result}:"
        if len(head) > WIDTH:
            head = "\n".join(
                [f"    async def {python}(", *(f"        {argument}," for argument in arguments), f"    ) -> {result}:"]
            )
        body += ["", head, fill(summary, "        ", '"""').replace("\n           ", "\n        ")]
        if description:
            body += ["", fill(description, "        ")]
        body += (
            [
                "",
                "        Args:",
                *(
                    fill(f"{n}: {t}", "            ").replace("\n            ", "\n                ")
                    for n, t in documented
                ),
            ]
            if documented
            else []
        )
        body += ['        """']
        call = f'"{remote}", {result}' if python != "calibrate" else "progress"
        start = f"        return await self.{'_ask' if python != 'calibrate' else '_calibrate'}({call}"
        body += (
            [f"{start}, {{", *(f"            {member}," for member in members), "        })"]
            if members
            else [start + ")"]
        )
    lines = [
        '"""Methods that are one request and its answer. Written by generate.py; change that instead."""',
        "",
        "# ruff: noqa: E501",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from typing import Any, TypeVar",
        "",
        "from ._quantities import (",
        "    Choices, Count, Duration, JobLike, LawLike, Shape, Share, Size,",
        "    choices, count, duration, number, number_of, shape, share, size, whole,",
        ")",
        "from ._values import Value",
        "from .answers import (",
        "    " + ", ".join(sorted({result for _, _, result in METHODS})) + ",",
        ")",
        "from .progress import Progress",
        "",
        'T = TypeVar("T", bound=Value)',
        "",
        "PARAMETERS = {",
        *(f'    "{name}": "{python}",' for name, python in sorted(names.items())),
        "}",
        '"""Names of parameters on the wire, with those of Python where they differ."""',
        "",
        "",
        "class Methods:",
        '    """The methods of the daemon that need no more than a request and its answer."""',
        "",
        "    async def _ask(self, method: str, kind: type[T], params: Mapping[str, Any] | None = None) -> T:",
        "        raise NotImplementedError",
        "",
        "    async def _calibrate(self, progress: Progress, params: Mapping[str, Any]) -> Job:",
        "        raise NotImplementedError",
        *body,
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    document = json.loads(DOCUMENT.read_text())
    stale = 0
    for file, text in [("_wire.py", wire(document)), ("_methods.py", methods(document))]:
        path = PACKAGE / file
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"{file} is not what generate.py writes; run: python3 clients/python/generate.py")
            stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
