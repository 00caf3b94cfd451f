"""The native code by itself: built, and run under sanitizers."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from offby.kernels.cpp import _library

ROOT = Path(__file__).parents[1]
pytest.importorskip("hatchling")


def build_script():
    spec = importlib.util.spec_from_file_location(
        "hatch_build", ROOT / "hatch_build.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_clean_under_address_and_undefined_behavior_sanitizers(tmp_path, monkeypatch):
    built = build_script()
    if built.compiler() is None:
        pytest.skip("no C++ compiler here")
    # Every width of vectors has its own addresses. What the language leaves undefined
    # lies in the code they share: it is looked for once, for it triples the compiling.
    # AddressSanitizer sees null pointers, too. What this machine cannot run is compiled
    # as it is: no fault of it would be found.
    loaded = _library.load()
    idle = () if isinstance(loaded, str) else {"avx2", "avx512"} - {*loaded.levels}
    off = {"base": "null", "entry": "null", "avx2": "undefined", "avx512": "undefined"}
    units = {
        name: (
            source,
            [*extra, f"-fno-sanitize={'all' if name in idle else off[name]}"],
        )
        for name, (source, extra) in built._units().items()
    }
    monkeypatch.setattr(built, "_units", lambda: units)
    flags = ["-O0", "-g1", "-DOFFBY_FEW_LOOPS"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    fuzz = tmp_path / "fuzz"
    source = str(ROOT / "tests" / "native_fuzz.cpp")
    why = built.build(fuzz, *flags, f"-I{built.SOURCES}", program=source)
    assert not why, why
    done = subprocess.run([fuzz], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 1800


def test_without_a_compiler_the_build_says_so(tmp_path, monkeypatch):
    built = build_script()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no C++ compiler" in built.build(tmp_path / "library.so")
    monkeypatch.setenv("CXX", str(tmp_path / "absent"))
    assert "absent" in built.build(tmp_path / "library.so")
    assert not (tmp_path / "library.so").exists()


def test_a_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    built = build_script()
    old = tmp_path / "old.py"
    old.write_text("raise SystemExit('no C++17 here')")
    monkeypatch.setenv("CXX", f"{sys.executable} {old}")
    assert built.build(tmp_path / "library.so") == "no C++17 here"


@pytest.mark.slow
def test_the_package_installs_without_a_compiler(tmp_path):
    copy = tmp_path / "offby"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    for changed in ("hatch_build.py", "pyproject.toml"):
        (copy / changed).write_bytes((ROOT / changed).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-build-isolation", "-w", str(tmp_path / "wheels"), str(copy)],
        env={"CXX": "/nowhere", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheels").iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
