"""Last layers for ordered classes: right, stable, and what others' layers give."""

import copy
import functools
import gzip
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from benchmarks import heads as benchmark
from benchmarks import heads_page, ordered_model
from offby import Line, OrdinalClassifier, losses, nn
from offby.metrics import spearman_correlation
from offby.nn import heads

LINKS = ("logit", "probit", "cloglog")
HEADS = {
    **{link: functools.partial(heads.CumulativeLink, link=link) for link in LINKS},
    "coral": heads.CORAL,
    "corn": heads.CORN,
    "stick": heads.StickBreaking,
    "binomial": heads.Binomial,
    "binomial-t": functools.partial(heads.Binomial, learn_temperature=True),
    "poisson": heads.Poisson,
    "poisson-t": functools.partial(heads.Poisson, learn_temperature=True),
    "unimodal": heads.Unimodal,
    "logistics": heads.DiscretizedLogistics,
    "logistics-line": lambda n, k: heads.DiscretizedLogistics(
        n, k, n_components=2, line=Line(torch.arange(1.0, k + 1).square())
    ),
}
every_head = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)


Head = TypeVar("Head", bound=torch.nn.Module)


def shaken(head: Head, seed: int = 0, by: float = 0.5) -> Head:
    """The head in float64, its parameters away from where training begins."""
    generator = torch.Generator().manual_seed(seed)
    head = head.double()
    with torch.no_grad():
        for parameter in head.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(by * noise.double())
    return head


def against_the_others(head: Head, by: float) -> Head:
    """A copy with the first output moved one way and all others the other way."""
    moved = copy.deepcopy(head)
    with torch.no_grad():
        for parameter in moved.parameters():
            if parameter.ndim:
                factor = torch.full((len(parameter),), 1 - by, dtype=parameter.dtype)
                factor[0] = 1 + by
                parameter.mul_(factor.reshape(-1, *[1] * (parameter.ndim - 1)))
    return moved


def inputs(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@every_head
@pytest.mark.parametrize("n_classes", [2, 3, 9])
def test_masses_sum_to_one_and_axes_do_not_matter(make, n_classes):
    head, x = shaken(make(4, n_classes)), inputs(3, 5, 4)
    log_p = head(x)
    assert log_p.shape == (3, 5, n_classes)
    assert_close(log_p.exp().sum(-1), torch.ones(3, 5).double(), rtol=1e-12, atol=0)
    assert_close(head(x[1, 2]), log_p[1, 2])
    assert head(x[:0]).shape == (0, 5, n_classes)


@every_head
def test_training_begins_with_no_class_forgotten(make):
    p = make(4, 6)(torch.zeros(4)).exp()
    assert (p > 0.005).all()


@every_head
def test_gradient_matches_finite_differences(make):
    head, x = shaken(make(3, 5)), inputs(4, 3).requires_grad_()
    names = [name for name, _ in head.named_parameters()]

    def log_p(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(head, given, (x,))

    assert torch.autograd.gradcheck(log_p, (x, *head.parameters()))
    assert torch.autograd.gradgradcheck(log_p, (x, *head.parameters()))


@every_head
def test_compiles_whole(make):
    head, x = make(3, 5), inputs(4, 3).float()
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), head(x))


@every_head
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e5])
def test_float32_keeps_its_digits_and_its_slope_at_any_score(make, scale):
    """Ten thousand rows, beside float64 with the same float32 numbers in it."""
    head = shaken(make(1, 7)).float()
    x = (scale * inputs(10_000, 1)).float().requires_grad_()
    log_p = head(x)
    assert log_p.dtype == torch.float32
    assert log_p.isfinite().all()
    (slope,) = torch.autograd.grad(log_p.sum(), x)
    assert slope.isfinite().all()
    for parameter in head.parameters():
        (slope,) = torch.autograd.grad(head(x).sum(), parameter)
        assert slope.isfinite().all()
    x64 = x.detach().double()
    exact = head.double()(x64)
    # A score is known to eps of its size. What that does to a log-probability is what
    # scores that much larger give, and one that is larger where the others are smaller.
    moved = (head(x64 * (1 + 3e-7)) - exact).abs() + (
        head(x64 * (1 - 3e-7)) - exact
    ).abs()
    moved = moved + (against_the_others(head, 3e-7)(x64) - exact).abs()
    slack = 5e-6 * (1 + exact.abs()) + 3 * moved
    assert ((log_p.double() - exact).abs() <= slack).all()


@every_head
def test_half_precision_gives_float32(make):
    head = make(3, 5).bfloat16()
    assert head(inputs(2, 3).bfloat16()).dtype == torch.float32


@every_head
def test_settings_are_in_the_state(make):
    head = shaken(make(3, 5))
    other = make(3, 5).double()
    other.load_state_dict(head.state_dict())
    assert_close(other(inputs(2, 3)), head(inputs(2, 3)))


@every_head
def test_any_criterion_fits(make):
    head, y = make(3, 5), torch.tensor([0, 4])
    for criterion in (
        nn.CrossEntropyLoss(),
        nn.SquaredEMDLoss(),
        nn.CumulativeCrossEntropyLoss(),
        torch.nn.CrossEntropyLoss(),
    ):
        head.zero_grad()
        criterion(head(inputs(2, 3).float()), y).backward()
        grads = [parameter.grad for parameter in head.parameters()]
        assert all(grad is not None and grad.isfinite().all() for grad in grads)


@every_head
@pytest.mark.parametrize(
    ("sizes", "names"), [((0, 3), "in_features"), ((2, 1), "num_")]
)
def test_refuses_a_head_without_input_or_classes(make, sizes, names):
    with pytest.raises(ValueError, match=f"{names}.* must be at least"):
        make(*sizes)


def test_refuses_an_unknown_link_and_a_line_of_other_classes():
    with pytest.raises(ValueError, match='"probit"'):
        heads.CumulativeLink(2, 3, link="cauchit")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 classes, got 4"):
        heads.DiscretizedLogistics(2, 3, line=Line.regular(4))
    with pytest.raises(ValueError, match="n_components"):
        heads.DiscretizedLogistics(2, 3, n_components=0)


# The formulas


CDFS = {
    "logit": lambda z: 1 / (1 + mp.exp(-z)),
    "probit": mp.ncdf,
    "cloglog": lambda z: 1 - mp.exp(-mp.exp(z)),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("score", [-5.0, -0.3, 0.0, 0.4, 3.0, 30.0])
def test_the_ordered_model_is_a_difference_of_two_probabilities(link, score):
    """In 600 digits, where the difference may be taken as it is written."""
    head = shaken(heads.CumulativeLink(1, 5, link), by=0.7)
    with torch.no_grad():
        head.score.weight.fill_(1.0)
    found = head(torch.tensor([score], dtype=torch.float64))
    with mp.workdps(600):
        below = [CDFS[link](mp.mpf(t) - score) for t in head.thresholds.tolist()]
        below = [mp.mpf(0), *below, mp.mpf(1)]
        exact = [float(mp.log(b - a)) for a, b in pairwise(below)]
    np.testing.assert_allclose(found.detach(), exact, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("link", LINKS)
def test_thresholds_increase_whatever_is_learned(link):
    head = shaken(heads.CumulativeLink(2, 8, link), by=5.0)
    assert (head.thresholds.diff() > 0).all()


def test_crossed_coral_biases_give_no_negative_probability():
    head = heads.CORAL(1, 4)
    with torch.no_grad():
        head.coral_bias.copy_(torch.tensor([-1.0, 2.0, 2.0]))
    log_p = head(torch.tensor([0.3]))
    assert log_p.isfinite().all()
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_coral_under_the_cumulative_cross_entropy_is_the_ordered_model():
    """The same thresholds give the same distributions."""
    coral, link = heads.CORAL(3, 5).double(), heads.CumulativeLink(3, 5).double()
    with torch.no_grad():
        link.score.weight.copy_(coral.coral_weights.weight)
        thresholds = -coral.coral_bias
        link.first_threshold.copy_(thresholds[:1])
        link.raw_gaps.copy_(thresholds.diff().expm1().log())
    assert_close(coral(inputs(6, 3)), link(inputs(6, 3)))


def test_stick_breaking_is_corn_with_the_sign_turned():
    corn, stick = heads.CORN(3, 5), heads.StickBreaking(3, 5)
    turned = {name: -value for name, value in corn.state_dict().items()}
    stick.load_state_dict(turned)
    assert_close(stick(inputs(6, 3).float()), corn(inputs(6, 3).float()))


def test_binomial_and_poisson_are_those_of_scipy():
    x = torch.linspace(-4, 4, 9).double()[:, None]
    k = np.arange(7)
    for make, exact in (
        (
            heads.Binomial,
            lambda s: scipy.stats.binom.logpmf(k, 6, 1 / (1 + np.exp(-s))),
        ),
        (
            heads.Poisson,
            lambda s: np.log(
                scipy.stats.poisson.pmf(k, np.exp(s))
                / scipy.stats.poisson.cdf(6, np.exp(s))
            ),
        ),
    ):
        head = make(1, 7).double()
        with torch.no_grad():
            head.score.weight.fill_(1.0)
            head.score.bias.zero_()
        expected = np.stack([exact(s) for s in x[:, 0].numpy()])
        np.testing.assert_allclose(head(x).detach(), expected, rtol=1e-9, atol=1e-12)


def test_a_learned_temperature_sharpens():
    head = heads.Binomial(1, 7, learn_temperature=True)
    with torch.no_grad():
        assert head.log_temperature is not None
        plain = head(torch.ones(1)).max()
        head.log_temperature.fill_(-2.0)
        assert head(torch.ones(1)).max() > plain


def test_the_mixture_is_a_difference_of_logistic_distributions():
    line = Line([0.0, 1.0, 3.0, 3.5])
    head = shaken(heads.DiscretizedLogistics(2, 4, n_components=2, line=line))
    x = inputs(5, 2)
    weight, center, log_width = (
        part.detach().numpy()
        for part in head.linear(x).unflatten(-1, (3, 2)).unbind(-2)
    )
    unit = 3.5 / 3
    borders = np.array([-np.inf, 0.5, 2.0, 3.25, np.inf]) / unit
    cdf = scipy.stats.logistic.cdf(
        borders, center[..., None], np.exp(log_width)[..., None]
    )
    share = np.exp(weight) / np.exp(weight).sum(-1, keepdims=True)
    expected = (share[..., None] * np.diff(cdf)).sum(-2)
    np.testing.assert_allclose(head(x).exp().detach(), expected, rtol=1e-6)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_one_peak(n_classes, seed):
    for make in (heads.Unimodal, heads.Binomial, heads.Poisson):
        head = shaken(make(2, n_classes), seed, by=2.0)
        steps = head(inputs(5, 2, seed=seed % 1000)).diff()
        rises = steps > 1e-12
        falls = steps < -1e-12
        # Once it has fallen it does not rise again.
        assert not (falls.cumsum(-1).bool() & rises).any()


# What the layers and losses of others give. Numbers are from the tests of
# coral-pytorch 1.4.0 (test_losses.py) and condor-pytorch 1.1.0 (test_losses.py,
# test_metrics.py, test_activations.py).

QUESTIONS = torch.tensor(
    [[2.1, 1.8, -2.1, -1.8], [1.9, -1.0, -1.5, -1.3], [1.9, 1.8, 1.7, 1.6]]
)
LABELS = torch.tensor([2, 1, 4])


def asks(questions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of a CORN head whose linear layer gives these numbers."""
    head = heads.CORN(questions.shape[-1], questions.shape[-1] + 1)
    head.linear = torch.nn.Identity()  # type: ignore[assignment]
    return head(questions)


def test_condor_s_published_values():
    log_p = asks(QUESTIONS)
    likelihood = losses.cross_entropy(log_p, LABELS).mean()
    assert likelihood.item() == pytest.approx(0.4936, abs=1e-4)
    ordinal = losses.cumulative_cross_entropy(log_p, LABELS).mean()
    assert ordinal.item() == pytest.approx(0.8259, abs=1e-4)
    distance = losses.wasserstein(log_p, LABELS).mean()
    assert distance.item() == pytest.approx(0.6943, abs=1e-4)
    masses = asks(torch.tensor([[-1.0, 1.0], [-2.0, 2.0]])).exp()
    published = [
        [0.7310586, 0.07232949, 0.19661194],
        [0.8807971, 0.01420934, 0.10499357],
    ]
    assert_close(masses, torch.tensor(published))


def test_corn_s_published_value():
    """Its mean is over the questions that were asked: 1 + 2 + 3 of them."""
    found = losses.cross_entropy(asks(QUESTIONS), torch.tensor([0, 1, 2])).sum() / 6
    assert found.item() == pytest.approx(0.8047, abs=1e-4)


def test_coral_s_published_value_where_its_levels_are_in_order():
    head = heads.CORAL(1, 5)
    with torch.no_grad():
        head.coral_bias.copy_(QUESTIONS[2])
    found = losses.cumulative_cross_entropy(head(torch.zeros(1)), LABELS[2])
    assert found.item() == pytest.approx(0.6441, abs=1e-4)


def test_coral_pytorch_s_layer_loads_and_means_the_same():
    theirs = pytest.importorskip("coral_pytorch.layers").CoralLayer(4, 6)
    levels_of = pytest.importorskip("coral_pytorch.dataset").levels_from_labelbatch
    coral_loss = pytest.importorskip("coral_pytorch.losses").coral_loss

    ours = heads.CORAL(4, 6)
    ours.load_state_dict(theirs.state_dict())
    x, y = inputs(20, 4).float(), torch.arange(20) % 6
    above = torch.sigmoid(theirs(x))
    assert_close(1 - ours(x).exp().cumsum(-1)[:, :-1], above, rtol=1e-4, atol=1e-5)
    expected = coral_loss(theirs(x), levels_of(y.tolist(), 6).float())
    assert_close(losses.cumulative_cross_entropy(ours(x), y).mean(), expected)


def test_dlordinal_s_layers_where_they_are_right():
    layers = pytest.importorskip("dlordinal.output_layers")
    score = torch.linspace(-3, 3, 13)[:, None]
    for link in LINKS:
        theirs, ours = layers.CLM(5, link), heads.CumulativeLink(1, 5, link)
        with torch.no_grad():
            ours.score.weight.fill_(1.0)
            ours.first_threshold.copy_(theirs.thresholds_b_)
            gaps = theirs.thresholds_a_.square()
            ours.raw_gaps.copy_(gaps.expm1().log())
            assert_close(ours(score).exp(), theirs(score), rtol=1e-4, atol=1e-6)
    theirs = layers.BinomialLayer(in_features=1, num_classes=5)
    ours = heads.Binomial(1, 5)
    ours.score.load_state_dict(theirs.p_layer.state_dict())
    assert_close(ours(score).exp(), theirs(score))


# Mistakes of others (PEERS.md): far from the thresholds they lose the slope.


@pytest.mark.parametrize("link", LINKS)
def test_a_row_far_on_the_wrong_side_is_pushed_back(link):
    head = heads.CumulativeLink(1, 4, link)
    with torch.no_grad():
        head.score.weight.fill_(1.0)
    for score, y in ((-40.0, 3), (40.0, 0), (-40.0, 2)):
        x = torch.tensor([[score]], requires_grad=True)
        loss = losses.cross_entropy(head(x), torch.tensor([y]))
        (slope,) = torch.autograd.grad(loss.sum(), x)
        assert loss.isfinite().all()
        assert slope.item() * np.sign(score) > 0.9


# The linear model: proportional odds, and its kin under any loss.


def table_of_rows(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    latent = X @ [1.0, -0.5, 0.2] + rng.logistic(size=n)
    return X, np.digitize(latent, [-1.5, 0.0, 1.2])


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_the_linear_model_has_the_coefficients_of_statsmodels(link):
    model = pytest.importorskip("statsmodels.miscmodels.ordinal_model").OrderedModel
    X, y = table_of_rows()
    fit = model(y, X, distr=link).fit(method="bfgs", disp=False, gtol=1e-8)
    weights, thresholds, _ = ordered_model.fitted(X, y, link, losses.cross_entropy)
    np.testing.assert_allclose(weights, fit.params[:3], atol=1e-5)
    theirs = model(y, X, distr=link).transform_threshold_params(fit.params)[1:-1]
    np.testing.assert_allclose(thresholds, theirs, atol=1e-5)


@pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning")
def test_under_the_cumulative_cross_entropy_it_is_the_all_threshold_model_of_mord():
    mord = pytest.importorskip("mord")
    X, y = table_of_rows()
    fit = mord.LogisticAT(alpha=0.0, max_iter=10_000).fit(X, y)
    loss = losses.cumulative_cross_entropy
    weights, thresholds, _ = ordered_model.fitted(X, y, "logit", loss)
    np.testing.assert_allclose(weights, fit.coef_, atol=1e-4)
    np.testing.assert_allclose(thresholds, fit.theta_, atol=1e-4)


def test_a_head_alone_is_the_module_of_an_estimator():
    X, y = table_of_rows()
    settings: dict = {"n_bags": 1, "learning_rate_init": 0.05, "random_state": 0}
    alone = OrdinalClassifier("ce", module=heads.CumulativeLink, **settings)
    free = OrdinalClassifier("cce", hidden_layer_sizes=(), **settings)
    for model in (alone, free):
        assert spearman_correlation(y, model.fit(X, y).predict(X)) > 0.4


# docs/heads.md

PAGE = (Path(__file__).parents[1] / "docs/heads.md").read_text(encoding="utf-8")
RESULT = Path(__file__).parents[1] / "docs/heads.json"


def test_the_page_s_code_runs():
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S):
        exec(compile(block, "heads.md", "exec"), {})


def test_the_tables_of_the_page_are_those_that_were_measured():
    assert heads_page.made(PAGE) == PAGE
    for name in heads_page.TABLES:
        assert f"<!-- table: {name} -->" in PAGE
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    for of_set in found.values():
        assert list(of_set["scores"].keys() ^ benchmark.pairs().keys()) == []


def test_the_benchmark_trains_every_head_and_every_loss(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = ["in1,in2,y"] + [
        f"{a},{b},{int(a > 4) + int(a > 7)}" for a, b in rng.integers(0, 10, (40, 2))
    ]
    with gzip.open(tmp_path / "esl.csv.gz", "wt") as file:
        file.write("\n".join(rows))
    monkeypatch.setattr(benchmark, "STEPS", 2)
    plain = heads_page.PLAIN_HEAD, benchmark.ANSWERS
    pairs = {
        key: pair
        for key, pair in benchmark.pairs().items()
        if key.startswith(plain) or key.endswith(f"| {heads_page.PLAIN_LOSS}")
    }
    monkeypatch.setattr(benchmark, "pairs", lambda: pairs)
    benchmark.main(str(tmp_path), str(tmp_path / "out.json"), "ESL")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["ESL"]["scores"].keys() == pairs.keys()
    for scores in found["ESL"]["scores"].values():
        assert 0 < scores["rps"] < 1
        assert np.isfinite(list(scores.values())).all()
