"""Grounds and grids in criteria: settings that follow the module and are not saved."""

import copy
import io
import json
import pickle

import pytest
import torch
from torch.testing import assert_close

from offby import Bins, Circle, Costs, Line, Tree, grounds, losses, nn
from offby.nn._buffers import GroundBuffers
from tests.cases import chord, circle, grid, line, points, tree

WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0])
GROUNDS = [line, circle, chord, tree, points, Costs.equal]
every_ground = pytest.mark.parametrize("ground", GROUNDS)
TAILED = Bins([0.0, 1.0, 2.0, 5.0], tails="half-normal")


def batch(*shape, n=5):
    torch.manual_seed(0)
    return torch.randn(*shape, n, requires_grad=True), torch.randint(n, shape)


def criteria():
    return [
        nn.SquaredEMDLoss(line(5)),
        nn.WassersteinLoss(points(5)),
        nn.SquaredEMDLoss(tree(5)),
        nn.WassersteinLoss(circle(5)),
        nn.HistogramCRPSLoss(grid(5)),
    ]


every_criterion = pytest.mark.parametrize("which", range(5))


def setting_of(criterion):
    return criterion.bins if hasattr(criterion, "bins") else criterion.ground


def model_with(criterion):
    return torch.nn.ModuleDict({"head": torch.nn.Linear(3, 5), "loss": criterion})


@every_ground
def test_a_ground_is_equal_to_one_of_the_same_numbers(ground):
    one, same = ground(5), ground(5)
    assert one == same
    assert hash(one) == hash(same)
    assert one != ground(6)
    assert one != "a ground"
    assert Line([0, 1]) != Costs([[0, 1], [1, 0]])
    assert Circle.regular(4) != Circle.regular(4, "chord")


@pytest.mark.parametrize("setting", [*(make(5) for make in GROUNDS), grid(4), TAILED])
def test_a_setting_survives_a_file_of_json(setting):
    saved = json.loads(json.dumps(setting.to_dict()))
    assert type(setting).from_dict(saved) == setting
    if not isinstance(setting, Bins):
        assert grounds.from_dict(saved) == setting


def test_a_dictionary_that_is_no_setting_is_refused():
    with pytest.raises(ValueError, match='"kind": "Line"'):
        Line.from_dict(Circle.regular(3).to_dict())
    with pytest.raises(ValueError, match="positions, got color too"):
        Line.from_dict({"kind": "Line", "positions": [0, 1], "color": 3})
    with pytest.raises(ValueError, match="Line, Circle, Tree, Costs, got 'Plane'"):
        grounds.from_dict({"kind": "Plane"})


@every_criterion
def test_a_checkpoint_holds_no_setting_and_loads_beside_any_loss(which):
    trained = model_with(criteria()[which])
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert set(state) == {"head.weight", "head.bias"}
    for other in (*criteria(), nn.SquaredEMDLoss(), torch.nn.CrossEntropyLoss()):
        before = repr(other)
        model_with(other).load_state_dict(state)
        assert repr(other) == before


@every_criterion
def test_change_of_dtype_leaves_the_ground_alone(which):
    criterion = criteria()[which]
    before = setting_of(criterion)
    for moved in (criterion.to(torch.bfloat16), criterion.half(), criterion.double()):
        assert setting_of(moved) == before
        assert {b.dtype for b in moved.buffers() if b.is_floating_point()} == {
            torch.float64
        }


@every_criterion
def test_a_copy_of_a_criterion_has_the_same_setting(which):
    criterion = criteria()[which]
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert setting_of(twin) == setting_of(criterion)


def test_the_numbers_of_a_criterion_are_its_own():
    edges = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    criterion = nn.HistogramCRPSLoss(Bins(edges))
    edges[1] = 2.0
    assert criterion.bins == Bins([0, 1, 3])


@every_criterion
def test_the_meta_device_and_back(which):
    """As a model that is built there, or whose memory is given back for a while."""
    criterion, right = criteria()[which], criteria()[which]
    there = criterion.to("meta")
    assert {b.device.type for b in there.buffers()} == {"meta"}
    assert repr(there) == repr(right)
    assert setting_of(there.to_empty(device="cpu")) == setting_of(right)


def test_settings_made_under_the_meta_device_have_their_numbers():
    with torch.device("meta"):
        made = [
            nn.SquaredEMDLoss(Line.regular(4)),
            nn.SquaredEMDLoss(Line([0, 1, 4])),
            nn.WassersteinLoss(Circle.regular(4)),
            nn.WassersteinLoss(Circle([0, 1, 4], 6)),
            nn.SquaredEMDLoss(Costs.equal(4)),
            nn.SquaredEMDLoss(Costs.from_features([[0.0], [2.0]])),
            nn.SquaredEMDLoss(Tree([2, 2, -1])),
            nn.SquaredEMDLoss(Tree.from_paths(["a/b", "a/c", "d/e"])),
            nn.HistogramCRPSLoss(Bins.uniform(0, 1, 4)),
            nn.HistogramCRPSLoss(Bins.log(1, 8, 3)),
            nn.HistogramCRPSLoss(Bins.symlog(-9, 9, 4)),
            nn.HistogramCRPSLoss(Bins.from_centers([0, 1, 2])),
        ]
        assert repr(nn.CrossEntropyLoss(weight=[1.0, 2.0])) == "CrossEntropyLoss()"
    for criterion in made:
        assert {b.device.type for b in criterion.buffers()} == {"cpu"}
    numbers = torch.tensor([0.3, 0.6])
    assert made[8](torch.zeros(2, 4), numbers).isfinite()
    assert made[0](torch.zeros(2, 4), torch.tensor([0, 3])) == 0.875
    with torch.device("meta"):
        positions = torch.arange(3.0)
    with pytest.raises(ValueError, match="must hold numbers, got a tensor on the meta"):
        Line(positions)


def test_memory_that_replaces_a_setting_is_filled_again():
    """Transformers gives every buffer that is not saved new, unset memory."""
    criterion = nn.SquaredEMDLoss(tree(5))
    logits, target = batch(6)
    right = criterion(logits, target)
    (part,) = (m for m in criterion.modules() if isinstance(m, GroundBuffers))
    for name, buffer in list(part.named_buffers()):
        setattr(part, name, torch.full_like(buffer, 7))
    assert_close(criterion(logits, target), right)
    assert criterion.ground == tree(5)


def test_a_pretrained_model_of_transformers_loads_with_its_loss(tmp_path):
    transformers = pytest.importorskip("transformers")

    class Config(transformers.PretrainedConfig):
        model_type = "offby-test"

        def __init__(self, bins=None, **settings):
            super().__init__(**settings)
            self.bins = bins

    class Model(transformers.PreTrainedModel):
        config_class = Config

        def __init__(self, config):
            super().__init__(config)
            bins = Bins.from_dict(config.bins)
            self.head = torch.nn.Linear(4, 3)
            self.loss = nn.MixedLoss(
                [
                    (1.0, nn.SquaredEMDLoss(bins.line())),
                    (1.0, nn.WassersteinLoss(Tree([3, 3, 3, -1]))),
                    (1.0, nn.HistogramCRPSLoss(bins)),
                ]
            )
            self.post_init()

        def _init_weights(self, module):
            del module

    model = Model(Config(Bins([0, 1, 2, 5]).to_dict()))
    model.save_pretrained(tmp_path)
    loaded = Model.from_pretrained(tmp_path)
    x, y = torch.randn(4, 4), torch.tensor([0.5, 1.5, 3.0, 0.1])
    assert_close(loaded.loss(loaded.head(x), y), model.loss(model.head(x), y))


def test_class_weight_is_saved_as_in_torch():
    ours = nn.CrossEntropyLoss(weight=WEIGHT)
    theirs = torch.nn.CrossEntropyLoss(weight=torch.ones(5))
    theirs.load_state_dict(ours.state_dict())
    assert_close(theirs.weight, WEIGHT)
    assert not nn.SquaredEMDLoss().state_dict()
    assert nn.SquaredEMDLoss().ground is None


@every_ground
def test_a_ground_in_a_criterion_is_the_ground(ground):
    logits, target = batch(6)
    for kind, function in (
        (nn.SquaredEMDLoss, losses.squared_emd),
        (nn.WassersteinLoss, losses.wasserstein),
    ):
        criterion = kind(ground(5))
        assert criterion.ground == ground(5)
        assert criterion.ground is not None
        assert criterion.ground.negative_type == ground(5).negative_type
        assert repr(ground(5)) in repr(criterion)
        assert_close(
            criterion(logits, target), function(logits, target, ground(5)).mean()
        )


def test_bins_stand_for_the_line_of_their_centers():
    bins = Bins([0, 1, 2, 50, 1000])
    logits, target = batch(6, n=4)
    for kind in (
        nn.SquaredEMDLoss,
        nn.WassersteinLoss,
        nn.CumulativeCrossEntropyLoss,
        nn.SquaredMassLoss,
    ):
        right = kind(bins.line())(logits, target)
        assert_close(kind(bins)(logits, target), right)
        assert_close(nn.MixedLoss([(1.0, kind(bins))])(logits, target), right)


@pytest.mark.parametrize("ground", [[0, 1], torch.ones(3), "line", 3])
def test_what_is_no_ground_is_refused(ground):
    with pytest.raises(TypeError, match=r"ground must be a Line, Circle, Tree or"):
        nn.SquaredEMDLoss(ground)


@pytest.mark.parametrize("bins", [[0, 1], torch.ones(3), Line([0, 1])])
def test_what_is_no_grid_is_refused(bins):
    with pytest.raises(TypeError, match=r"bins must be offby.Bins, got"):
        nn.HistogramCRPSLoss(bins)


def test_a_criterion_takes_a_new_ground():
    logits, target = batch(6)
    criterion = nn.SquaredMassLoss(Costs.equal(5), power=2.0, offset=0.5)
    criterion.ground = line(5)
    rows = losses.squared_mass(logits, target, line(5), power=2.0, offset=0.5)
    assert_close(criterion(logits, target), rows.mean())
    emd = nn.SquaredEMDLoss()
    emd.ground = tree(5)
    assert emd.ground == tree(5)
    emd.ground = None
    assert_close(emd(logits, target), nn.SquaredEMDLoss()(logits, target))
    there = nn.SquaredEMDLoss(line(5)).to("meta")
    there.ground = tree(5)
    assert {b.device.type for b in there.buffers()} == {"meta"}


@pytest.mark.parametrize("ground", [line, circle, chord, tree, points])
@pytest.mark.parametrize("soft", [False, True])
def test_a_ground_follows_its_criterion_to_another_device(ground, soft):
    # "meta" computes no values, but refuses to mix devices or to wait for a number.
    kinds = [nn.SquaredEMDLoss, nn.SquaredMassLoss]
    if not soft or ground in (line, circle, tree):
        kinds.append(nn.WassersteinLoss)
    if ground in (line, tree):
        kinds.append(nn.CumulativeCrossEntropyLoss)
    for kind in kinds:
        criterion = kind(ground(5), weight=WEIGHT).to("meta")
        logits = torch.randn(4, 5, device="meta", requires_grad=True)
        target = torch.zeros((4, 5) if soft else 4, device="meta")
        loss = criterion(logits, target if soft else target.long())
        loss.backward()
        assert loss.device.type == "meta"
        assert criterion.ground is not None
        assert criterion.ground.cost.device.type == "meta"


@pytest.mark.parametrize("tails", ["none", "half-normal"])
def test_a_grid_follows_its_criterion_to_another_device(tails):
    bins = Bins(grid(5).edges, tails=tails)
    for name in ("NLL", "CRPS", "Wasserstein"):
        criterion = getattr(nn, f"Histogram{name}Loss")(bins).to("meta")
        logits = torch.randn(4, 5, device="meta", requires_grad=True)
        criterion(logits, torch.zeros(4, device="meta")).backward()
