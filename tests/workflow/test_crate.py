"""One study as one archive, verified elsewhere."""

import hashlib
import json
import zipfile

import pytest

from dlatlas.declare import bibliography
from dlatlas.declare.cite import collection
from dlatlas.errors import AtlasError, InputError
from dlatlas.publishing.crate import METADATA, check_archive

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def archive(published, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "edge.zip"
    done = published.dlatlas("export", "edge", "--scale", "smoke", "--to", str(path))
    assert done.returncode == 0, done.stderr
    return path


def read(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def resigned(files, name, content):
    """The same files but for one, whose digest in the metadata is made to fit."""
    old, new = (hashlib.sha256(text).hexdigest().encode() for text in (files[name], content))
    return {**files, name: content, METADATA: files[METADATA].replace(old, new)}


def test_an_archive_holds_all_that_the_study_is(archive, published):
    files = read(archive)
    home = published.path / "results" / "edge"
    assert files["params/edge.yaml"] == (published.path / "params" / "edge.yaml").read_bytes()
    assert files["studies/edge.py"] == (published.path / "src/dltheory/edge.py").read_bytes()
    for name in ("verdict.json", "figure.svg", "figure.png", "cube.zarr/zarr.json"):
        assert files[name] == (home / name).read_bytes()
    assert {name for name in files if name.startswith("cube.zarr/")} == {
        path.relative_to(home).as_posix() for path in (home / "cube.zarr").rglob("*") if path.is_file()
    }
    assert files["ledger.json"] == (published.path / "results" / "ledger" / "edge.json").read_bytes()
    assert json.loads(files["ledger.json"])["commit"] in files["citation.bib"].decode()
    paper = bibliography.read(published.path / "references.bib")["cohen2021"]
    assert files["citation.bib"].decode().endswith(f"\n\n{paper.bibtex}\n")


def test_an_archive_names_the_authors_that_the_lab_does_and_no_others(archive, published):
    entities = {item["@id"]: item for item in json.loads(read(archive)[METADATA])["@graph"]}
    named = [entities[author["@id"]]["name"] for author in entities["./"].get("author", [])]
    assert named == [author.name for author in collection(published.path).authors]


def test_equal_results_give_equal_archives(archive, published, tmp_path):
    clone = published.clone(tmp_path / "clone")
    assert clone.dlatlas("pull", "edge").returncode == 0
    done = clone.dlatlas("export", "edge", "--scale", "smoke", "--to", str(tmp_path / "again.zip"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_where_the_study_is_installed_the_verdict_is_computed_again(archive, published, tmp_path):
    done = published.dlatlas("check", str(archive))
    assert done.returncode == 0, done.stderr
    assert "files verified" in done.stdout
    assert "supported  edge at two: 1 [1, 1]" in done.stdout
    files = read(archive)
    record = json.loads(files["verdict.json"])
    record["claims"][0]["estimate"] = 0.97
    forged = write(tmp_path / "forged.zip", resigned(files, "verdict.json", json.dumps(record).encode()))
    done = published.dlatlas("check", str(forged))
    assert done.returncode == 1
    assert "claim edge at two: estimate is 0.97, computed again it is 1.0" in done.stderr


def test_where_it_is_not_the_files_are_verified_and_that_is_said(archive, lab):
    said = check_archive(archive, lab)
    assert f"{len(read(archive))} files verified" in said
    assert "edge is not installed here: its verdict (supported) was not computed again" in said


def test_an_archive_with_a_ledger_of_before_is_still_verified(archive, published, tmp_path):
    files = read(archive)
    entry = json.loads(files["ledger.json"])
    old = {"schema": 1, "studies": {entry.pop("study"): {key: entry[key] for key in entry if key != "schema"}}}
    path = write(tmp_path / "old.zip", resigned(files, "ledger.json", json.dumps(old).encode()))
    done = published.dlatlas("check", str(path))
    assert done.returncode == 0, done.stderr
    assert f"files verified, cube {entry['cube']}, commit {entry['commit']}" in done.stdout


def test_a_changed_missing_or_foreign_file_is_named(archive, lab, tmp_path):
    files = read(archive)
    for name in files:
        if name == METADATA:
            continue
        changed = write(tmp_path / "changed.zip", {**files, name: files[name][:-1] + bytes([files[name][-1] ^ 1])})
        with pytest.raises(InputError, match=f"changed.zip/{name}: corrupted"):
            check_archive(changed, lab)
        less = write(tmp_path / "less.zip", {key: content for key, content in files.items() if key != name})
        with pytest.raises(InputError, match=f"less.zip/{name}: missing"):
            check_archive(less, lab)
    more = write(tmp_path / "more.zip", {**files, "cube.zarr/more": b""})
    with pytest.raises(InputError, match=r"more\.zip/cube\.zarr/more: not a file of this archive"):
        check_archive(more, lab)


def test_parts_of_different_cubes_do_not_belong_together(archive, lab, tmp_path):
    files = read(archive)
    record = json.loads(files["verdict.json"])
    verdict = resigned(files, "verdict.json", json.dumps({**record, "cube": "0" * 20}).encode())
    with pytest.raises(AtlasError, match=f"verdict.json: of cube {'0' * 20}, ledger.json says {record['cube']}"):
        check_archive(write(tmp_path / "mixed.zip", verdict), lab)
    name = "cube.zarr/train_loss/zarr.json"
    cube = resigned(files, name, files[name] + b"\n")
    with pytest.raises(AtlasError, match=r"cube\.zarr: of cube \w+, ledger\.json says"):
        check_archive(write(tmp_path / "mixed.zip", cube), lab)


def test_what_is_no_archive_of_ours_is_one_line(archive, lab, tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(InputError, match="not a whole ZIP archive"):
        check_archive(tmp_path / "text.zip", lab)
    (tmp_path / "half.zip").write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(InputError, match="not a whole ZIP archive"):
        check_archive(tmp_path / "half.zip", lab)
    with pytest.raises(InputError, match=r"not a whole ZIP archive .*No such file"):
        check_archive(tmp_path / "none.zip", lab)
    with pytest.raises(InputError, match="not an archive of the atlas"):
        check_archive(write(tmp_path / "other.zip", {"a": b""}), lab)
    with pytest.raises(InputError, match="not an archive of the atlas"):
        check_archive(write(tmp_path / "empty.zip", {METADATA: b"{}"}), lab)


def test_the_metadata_are_a_ro_crate(archive):
    """RO-Crate 1.1, section "Root Data Entity": a descriptor, a root with its required properties, no loose ends."""
    files = read(archive)
    record = json.loads(files[METADATA])
    assert record["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {item["@id"]: item for item in record["@graph"]}
    assert len(entities) == len(record["@graph"])
    assert entities[METADATA]["about"] == {"@id": "./"}
    assert entities[METADATA]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    parts = {part["@id"] for item in entities.values() for part in item.get("hasPart", [])}
    assert set(files) - {METADATA} <= parts

    def references(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else []
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for item in entities.values():
        for name in references({key: value for key, value in item.items() if key not in ("@id", "conformsTo")}):
            assert name in entities, f"{item['@id']} refers to {name}"


def test_results_that_were_not_published_are_not_exported(committed, tmp_path):
    done = committed.dlatlas("export", "edge", "--scale", "smoke", "--to", str(tmp_path / "edge.zip"))
    assert done.returncode == 1
    assert "is not in the ledger; `dlatlas publish edge` puts it there" in done.stderr
    assert not (tmp_path / "edge.zip").exists()
