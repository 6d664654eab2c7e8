"""Scores the models on the structures of structures.json, and compares with kept results.

Writes out/accuracy.csv (a row per step, as they come), out/accuracy.md (means and all objects),
out/accuracy_clicks.png and out/accuracy_worst/. The cases lie beside the project; where they are
missing, nothing is scored.

`--quick --weights FILE` is for looking at weights while they are trained: SAMSegment 3D on the
tuning cases, from an ROI and from clicks, without surface distances.

Exit status: 0 done, 1 an object failed or a mean became worse than the kept one, 2 bad
arguments or weights.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from Accuracy.clicks_plot import save_clicks_plot
from Accuracy.contenders import CACHE_BYTES, PLAIN_RULE, Contender, contenders
from Accuracy.costs import costs
from Accuracy.headline import headline
from Accuracy.kept import RESULTS, compare, keep, kept_rows
from Accuracy.rows import append_rows
from Accuracy.structures import ScoredCase, Structure, chosen, scored_cases, truth_of
from Accuracy.summary import objects_of, summary
from Accuracy.worst import Finished, Worst
from SAMSegmentLib import __version__
from SAMSegmentLib.core.errors import InputError, SAMSegmentError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.evaluation.cases import LabelledImage
from SAMSegmentLib.evaluation.protocol import (
    CLICKS_ALONE,
    PROTOCOLS,
    ROI_THEN_CLICKS,
    EncoderClock,
    Protocol,
    Step,
    run,
)
from SAMSegmentLib.evaluation.report import (
    Subject,
    markdown_table,
    measured,
    number,
    rows_of,
)
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.weights.catalogue import DEFAULT_MODEL, model_entry
from TestSupport.cases import DATA

OUTPUT = Path(__file__).parents[2] / "out"
#: What --quick stands for.
QUICK = {
    "model": "samsegment3d",
    "split": "tuning",
    "protocols": [ROI_THEN_CLICKS.name, CLICKS_ALONE.name],
}


class Accuracy:
    """One run over the chosen cases.

    Args:
        quick: neither surfaces are compared nor pictures drawn.

    Attributes:
        rows: all rows so far.
        failures: what could not be scored, and why.
    """

    def __init__(
        self,
        competing: list[Contender],
        cache: EmbeddingCache,
        output: Path,
        seed: int = 0,
        quick: bool = False,
    ) -> None:
        self._contenders = competing
        self._cache = cache
        self._output = output
        self._seed = seed
        self._quick = quick
        self._clock = EncoderClock()
        self._worst = Worst()
        self.rows: list[dict] = []
        self.failures: list[str] = []
        output.mkdir(parents=True, exist_ok=True)
        (output / "accuracy.csv").unlink(missing_ok=True)

    def score(self, cases: list[ScoredCase], data: Path) -> None:
        """Scores case after case; a line per structure tells how it went."""
        for case in cases:
            if reason := case.missing(data):
                _say(f"left out: {case.case}: {reason}")
        cases = [case for case in cases if not case.missing(data)]
        total = sum(len(case.structures) for case in cases)
        done = 0
        for case in cases:
            labelled = case.load(data)
            for warning in labelled.warnings:
                _say(f"{case.case}: {warning}")
            for structure in case.structures:
                done += 1
                started = time.perf_counter()
                told = self._score_structure(case, labelled, structure)
                seconds = time.perf_counter() - started
                _say(f"[{done}/{total}] {case.case}, {structure.name}: {told} ({seconds:.0f} s)")
            # Embeddings of a volume are of no use for the next.
            self._cache.clear()

    def write(self) -> None:
        """Writes the report and the pictures of what was scored."""
        if not self.rows:
            return
        report = f"# Accuracy, SAMSegment {__version__}, seed {self._seed}\n\n"
        report += f"{self.figures()}\n\n{summary(self.rows)}\n\n"
        report += f"## All objects: Dice after the last step\n\n{_all_objects(self.rows)}\n"
        (self._output / "accuracy.md").write_text(report, encoding="utf-8")
        if not self._quick:
            save_clicks_plot(self._output / "accuracy_clicks.png", self.rows)
            self._worst.save(self._output / "accuracy_worst")

    def figures(self) -> str:
        """Markdown: what is asked for first."""
        return "\n\n".join(part for part in (headline(self.rows), costs(self.rows)) if part)

    def _score_structure(
        self, case: ScoredCase, labelled: LabelledImage, structure: Structure
    ) -> str:
        """Scores one object by all contenders; returns how it went, in a few words."""
        truth = truth_of(labelled, structure)
        told = []
        for contender in self._contenders:
            subject = _subject(contender.model, case, structure, truth, labelled)
            for protocol in contender.protocols:
                name = contender.model if contender.model == PLAIN_RULE else protocol.name
                steps = self._steps(contender, subject, protocol, labelled.image, truth)
                told.append(f"{name} {_course(steps)}")
        return "; ".join(told)

    def _steps(
        self,
        contender: Contender,
        subject: Subject,
        protocol: Protocol,
        image: Image,
        truth: np.ndarray,
    ) -> list[Step]:
        """The steps of one object under one protocol, taken down; none if it failed."""
        seed = _seed_of(subject.case, subject.structure, self._seed)
        name = f"{subject.case}, {subject.structure}, {protocol.name}"
        predict = partial(contender.predict, image)
        try:
            steps = run(predict, image, truth, protocol, seed, self._clock, not self._quick)
        except SAMSegmentError as error:
            self.failures.append(f"{name}: {error}")
            return []
        rows = rows_of(subject, protocol, steps)
        self.rows += rows
        append_rows(self._output / "accuracy.csv", rows)
        if subject.goal and contender.model != PLAIN_RULE and not protocol.shaken:
            self._worst.add(Finished(image, truth, steps[-1], name))
        return steps


def main(
    arguments: list[str] | None = None,
    data: Path = DATA,
    output: Path = OUTPUT,
    results: Path = RESULTS,
) -> int:
    """Runs it; returns the exit status.

    Args:
        data: folder of the cases.
        output: folder of what is written.
        results: folder of the kept results.
    """
    options = _options(arguments)
    output = options.output or output
    if not data.is_dir():
        _say(f"left out: the folder with real cases is not there: {data}")
        return 0
    try:
        cases = chosen(
            scored_cases(), options.cases, options.split, options.structures, options.goal
        )
        if not cases:
            raise InputError("No structure of structures.json fits these arguments.")
        entry = model_entry(options.model)
        cache = EmbeddingCache(CACHE_BYTES)
        weights = options.weights
        if weights and not weights.is_file():
            raise InputError(f"{weights} is not there.")
        competing = contenders(entry, options.device, options.protocols, cache, weights)
        accuracy = Accuracy(competing, cache, output, options.seed, options.quick)
        accuracy.score(cases, data)
    except SAMSegmentError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say(f"Interrupted. What was scored so far is in {output / 'accuracy.csv'}.")
        return 130
    accuracy.write()
    _say(f"\n{accuracy.figures()}\n\nWritten: {output / 'accuracy.md'} and beside it")
    for failure in accuracy.failures:
        _say(f"FAILED: {failure}")
    # Other weights than the installed ones are compared by Accuracy.compare.
    worse = not options.weights and _compare(accuracy.rows, results)
    if options.keep:
        _keep(accuracy.rows, results)
    return 1 if worse or accuracy.failures else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    if "--quick" in (sys.argv[1:] if arguments is None else arguments):
        parser.set_defaults(**QUICK)
    options = parser.parse_args(arguments)
    if options.keep and (options.quick or options.weights):
        parser.error("--keep is for complete scores of the installed weights")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="accuracy", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help="the tuning cases by SAMSegment 3D, without surfaces and pictures, in minutes",
    )
    add("--output", type=Path, metavar="FOLDER", help="where to write (default: out)")
    add("--cases", nargs="+", metavar="NAME", help="only these cases")
    add("--goal", action="store_true", help="only structures to which the goals refer")
    add("--split", choices=("tuning", "reporting"), help="only these cases")
    add(
        "--protocols",
        nargs="+",
        metavar="NAME",
        help=f"{PLAIN_RULE}, {', '.join(PROTOCOLS)} (default: all that the model takes)",
    )
    add("--structures", nargs="+", metavar="PART", help="only names that hold one of these")
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="score these weights (safetensors) instead of the installed ones; of a model made of "
        "others, SAMSegment 3D's",
    )
    add("--model", default=DEFAULT_MODEL, help="model name (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the shaking hand (default: %(default)s)")
    add("--keep", action="store_true", help=f"keep the results in {RESULTS.name}/ for comparison")
    return parser


def _compare(rows: list[dict], results: Path) -> bool:
    """Tells what became worse than the kept results; whether that is too much."""
    failed = False
    for model, of_model in _by_model(rows).items():
        comparison = compare(of_model, kept_rows(model, results))
        _say(f"\n{model}: compared with kept results: {comparison.compared} of these objects")
        for line in comparison.lines:
            _say(f"  worse: {line}")
        failed = failed or comparison.failed
    return failed


def _keep(rows: list[dict], results: Path) -> None:
    for model, of_model in _by_model(rows).items():
        _say(f"Kept: {keep(model, of_model, results)}")


def _by_model(rows: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in rows:
        found.setdefault(row["model"], []).append(row)
    return found


def _all_objects(rows: list[dict]) -> str:
    """A Markdown table: an object a line, a model and protocol a column."""
    lines: dict[tuple, dict[str, float]] = {}
    names: dict[str, None] = {}
    for scored in objects_of(rows):
        about = scored.about
        name = f"{about['model']}, {about['protocol']}"
        names[name] = None
        goal = "goal" if about["goal"] else ""
        key = (about["case"], about["structure"], goal, f"{about['volume_ml']:.1f}")
        lines.setdefault(key, {})[name] = scored.final["dsc"]
    body = [[*key, *(number(values.get(name)) for name in names)] for key, values in lines.items()]
    return markdown_table(["case", "structure", "goal", "ml", *names], body)


def _subject(
    model: str, case: ScoredCase, structure: Structure, truth: np.ndarray, labelled: LabelledImage
) -> Subject:
    return Subject(
        model=model,
        version=__version__,
        case=case.case,
        structure=structure.name,
        patient=case.patient,
        modality=case.modality,
        split=case.split,
        group=structure.group,
        goal=structure.goal,
        **measured(truth, labelled.image.geometry),
    )


def _course(steps: list[Step]) -> str:
    """The Dice after the first and the last step."""
    if not steps:
        return "FAILED"
    first, last = number(steps[0].dsc), number(steps[-1].dsc)
    return first if len(steps) == 1 else f"{first} -> {last}"


def _seed_of(case: str, structure: str, seed: int) -> int:
    """Every object has a hand of its own, whatever else is scored in the same run."""
    return zlib.crc32(f"{seed}/{case}/{structure}".encode())


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
