import platform

from dlatlas.identity import machine


def test_the_processor_has_the_name_that_the_kernel_gives_it(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nmodel name\t: Abacus 3000 @ 1 Hz\nprocessor\t: 1\nmodel name\t: Abacus 3000 @ 1 Hz\n"
    )
    monkeypatch.setattr(machine, "Path", lambda name: info)
    assert machine.processor() == "Abacus 3000 @ 1 Hz"


def test_without_a_name_it_is_the_architecture(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "Path", lambda name: tmp_path / "nothing")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine.processor() == platform.machine()
