"""A quick check of an installed offby: `python -I tests/smoke.py`.

Run it with the Python of an environment into which a wheel was installed, from
anywhere and without a compiler. It uses the package as a stranger would.
`--kernels` also demands that the compiled kernels are inside.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", action="store_true")
    demanded = parser.parse_args().kernels

    import numpy as np
    import torch

    import offby
    from offby import kernels

    torch.set_num_threads(1)
    runs = {check.form: check for check in kernels.diagnosis()}
    if demanded and not runs["cpp"].runs:
        raise SystemExit(f"the compiled kernels do not run: {runs['cpp'].says}")

    logits = torch.linspace(-2, 2, 40).reshape(8, 5).requires_grad_()
    target = torch.arange(8) % 5
    offby.nn.SquaredEMDLoss()(logits, target).backward()
    by_kernel = offby.losses.squared_emd(logits, target)
    plain = offby.losses.squared_emd(logits, target, impl="torch")
    torch.testing.assert_close(by_kernel, plain)

    X = np.linspace(0, 1, 120).reshape(40, 3)
    model = offby.BinnedRegressor(n_bins=5, max_iter=3, n_bags=1, random_state=0)
    model.fit(X, X.sum(1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.offby"
        model.save(file)
        again = offby.load(file).predict(X)
    np.testing.assert_array_equal(again, model.predict(X))

    ran = subprocess.run(
        [sys.executable, "-I", "-m", "offby", "doctor"],
        capture_output=True,
        text=True,
        check=True,
    )
    print(ran.stdout)
    inside = "with" if runs["cpp"].runs else "without"
    python = sys.version.split()[0]
    print(f"offby {offby.__version__} works on Python {python}, {inside} kernels.")
    print(f"It was imported from {Path(offby.__file__).parent}.")


if __name__ == "__main__":
    main()
