"""What a worker finds in the memory that it is handed, whatever became of the directory."""

import multiprocessing
import multiprocessing.connection
import shutil
from pathlib import Path

from service.engine.bundle import Bundle
from service.settings import SHIPPED_BUNDLE
from service.worker.shared_bundle import SharedBundle


def read_twice(shared: SharedBundle, answer: multiprocessing.connection.Connection) -> None:
    contents = [shared.load().read("tokenizer.json") for _ in range(2)]
    answer.send((shared.load().digest, contents))


def test_spawned_workers_read_what_was_there_at_the_start(tmp_path: Path) -> None:
    directory = tmp_path / "bundle"
    shutil.copytree(SHIPPED_BUNDLE, directory)
    bundle = Bundle(directory)
    bundle.hold()
    shared = SharedBundle(bundle)
    expected = (directory / "tokenizer.json").read_bytes()
    shutil.rmtree(directory)
    receive, send = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        worker = context.Process(target=read_twice, args=(shared, send))
        worker.start()
        assert receive.poll(60)
        assert receive.recv() == (bundle.digest, [expected, expected])
        worker.join()
