"""How much reviews slow sentences down: p99 of short texts among them and alone, same load."""

import argparse
import json
from collections.abc import Sequence

from load_tests.commands.options import add_output_option, add_service_options, service_of
from load_tests.probe import FULL_LOAD_CLIENTS, Prober
from load_tests.progress import say
from load_tests.results import begin_results, write_results
from load_tests.texts import LoadText, generate
from service.engine.bundle import Bundle
from service.engine.tokenizer import TextTokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_service_options(parser)
    add_output_option(parser, "interference")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--share", type=float, default=0.7, help="of the mixed capacity")


def run(arguments: argparse.Namespace) -> int:
    results = begin_results()
    tokenizer = TextTokenizer(Bundle(arguments.bundle))
    mixed, short = generate("mixed"), generate("short")
    mixed_tokens, short_tokens = (_mean_tokens(tokenizer, texts) for texts in (mixed, short))
    rounds = []
    with service_of(arguments) as service:
        among_reviews = Prober(service, mixed, answers=None)
        alone = Prober(service, short, answers=None)
        among_reviews.closed(FULL_LOAD_CLIENTS, min(3.0, arguments.seconds))  # warms up
        capacity = among_reviews.closed(FULL_LOAD_CLIENTS, arguments.seconds).answered_per_second
        rate = arguments.share * capacity
        short_rate = rate * mixed_tokens / short_tokens
        for number in range(arguments.rounds):
            mixed_probe = among_reviews.open(rate, arguments.seconds, seed=number)
            short_probe = alone.open(short_rate, arguments.seconds, seed=number)
            rounds.append((mixed_probe.short_p99_ms, short_probe.short_p99_ms))
            say(
                f"[{number + 1}/{arguments.rounds}] {rate:,.0f}/s mixed: p99 of the short ones"
                f" {rounds[-1][0]:.1f} ms; {short_rate:,.0f}/s short alone: {rounds[-1][1]:.1f} ms"
                f" ({short_probe.refused} refused)"
            )
    ratios = sorted(mixed_ms / alone_ms for mixed_ms, alone_ms in rounds)
    figures = {
        "mixed_per_second": rate,
        "short_per_second": short_rate,
        "tokens_per_second": rate * mixed_tokens,
        "short_p99_ms_mixed_and_alone": rounds,
        "median_ratio": ratios[len(ratios) // 2],
        "lowest_ratio": ratios[0],
        "highest_ratio": ratios[-1],
    }
    print(json.dumps(figures, indent=1))
    options = {
        name: getattr(arguments, name) for name in ("precision", "rounds", "seconds", "share")
    }
    write_results({**results, "options": options, **figures}, arguments.output)
    return 0


def _mean_tokens(tokenizer: TextTokenizer, texts: Sequence[LoadText]) -> float:
    return sum(map(len, tokenizer.encode([text.text for text in texts]))) / len(texts)
