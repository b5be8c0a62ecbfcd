"""Measures keep their numbers, say which were read, and explain what is wrong with a file."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_contracts.errors import ContractError
from data_contracts.measure import Measure, MeasureContractError
from data_contracts.measures import built_in_measures, measures_fingerprint, measures_for

MEASURES = built_in_measures()

# Typed by hand from the notes (measures.csv and the decisions in docs/decisions/0003):
# measure, lowest, highest, cut-off, reliable change, all of it read in a source.
GOLDEN = [
    ("phq9", 0, 27, 10, 6, True),
    ("gad7", 0, 21, 8, 4, True),
    ("bdi", 0, 63, 10, 8.46, False),
    ("bdi2", 0, 63, 14, 8, False),
    ("oq45", 0, 180, 64, 14, False),
    ("oq30", 0, 120, 44, 10, False),
    ("ors", 0, 40, 25, 5, True),
    ("core10", 0, 40, 11, 7, True),
    ("core_om", 0, 40, 10, 5, False),
    ("wsas", 0, 40, 10, 8, False),
    ("pcl5", 0, 80, 31, 18, True),
    ("k10", 10, 50, 20, None, False),
    ("hamd17", 0, 52, 8, 8, False),
    ("srs", 0, 40, None, None, False),
    ("wai_sr", 12, 60, None, None, False),
    ("expectation", 0, 10, None, None, True),
    ("flexibility", 0, 10, None, None, True),
    ("problem_agreement", 0, 10, None, None, True),
    ("relief", 0, 10, None, None, True),
    ("safety_behaviour", 0, 10, None, None, True),
    ("support", 0, 10, None, None, True),
    ("therapist_strain", 0, 10, None, None, True),
    ("understanding", 0, 10, None, None, True),
    ("unsafe_people", 0, 10, None, None, True),
    ("willingness", 0, 10, None, None, True),
    ("epds", 0, 30, 13, 4, True),
    ("iesr", 0, 88, 33, 9, False),
    ("oci", 0, 168, 40, 32, False),
    ("ocir", 0, 72, 21, None, False),
    ("pswq", 16, 80, 45, 10, False),
    ("spin", 0, 68, 19, 10, False),
    ("pdss", 0, 28, 8, 5, False),
    ("hai", 0, 54, 18, 4, False),
    ("mi", 1, 5, 2.3, 0.73, False),
    ("dass21_depression", 0, 42, 10, 8, False),
    ("dass21_anxiety", 0, 42, 8, 7, False),
    ("dass21_stress", 0, 42, 15, 8, False),
]

OWN_MEASURE = """
measure_id = "own"
name = "Own scale"
long_name = "A scale of our own"
role = "outcome"
construct = "wellbeing"
rater = "client"
higher_is = "better"
integer = false
items = 4
minimum = 0
maximum = 40
missing_item_rule = "All items answered."
licence = "Ours."
licence_source = "ours"
licence_verified = true

[clinical_cutoff]
value = 25.5
source = "our own norms"
verified = true
"""


def sources_and_flags(toml: object) -> list[tuple[str, bool]]:
    """Return every (source, verified) pair in a TOML file, however deep."""
    if isinstance(toml, list):
        return [pair for entry in toml for pair in sources_and_flags(entry)]
    if not isinstance(toml, dict):
        return []
    pairs = [
        (toml[key], toml[key.removesuffix("source") + "verified"])
        for key in ("source", "low_source", "ceiling_source", "standard_error_source")
        if key.removesuffix("source") + "verified" in toml
    ]
    return pairs + [pair for value in toml.values() for pair in sources_and_flags(value)]


def home_with(folder: Path, content: str, name: str = "own.toml") -> Path:
    """Write one measure file into a practice's folder."""
    (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_every_file_of_the_folder_is_a_measure() -> None:
    folder = files("data_contracts") / "measures"
    stems = {entry.name.removesuffix(".toml") for entry in folder.iterdir()}
    assert set(MEASURES) == stems
    assert list(MEASURES) == sorted(MEASURES)


def test_the_golden_table_names_every_built_in_measure() -> None:
    assert {row[0] for row in GOLDEN} == set(MEASURES)


@pytest.mark.parametrize(("measure_id", "low", "high", "cutoff", "change", "verified"), GOLDEN)
def test_numbers_are_those_of_the_notes(
    measure_id: str,
    low: float,
    high: float,
    cutoff: float | None,
    change: float | None,
    verified: bool,
) -> None:
    measure = MEASURES[measure_id]
    assert measure.score_range() == (low, high)
    assert measure.cutoff == cutoff
    assert measure.reliable_change_points == change
    assert measure.is_verified is verified


def test_only_what_has_a_read_source_is_called_verified() -> None:
    for entry in (files("data_contracts") / "measures").iterdir():
        toml = tomllib.loads(entry.read_text(encoding="utf-8"))
        for source, verified in sources_and_flags(toml):
            is_read = source[0] == "R" and source[1].isdigit()
            assert verified is is_read, f"{entry.name}: {source}"


def test_every_licence_says_that_no_item_text_ships() -> None:
    assert all("No item text ships" in measure.licence for measure in MEASURES.values())


def test_published_reliable_changes_are_all_at_95_per_cent() -> None:
    published = [measure.reliable_change for measure in MEASURES.values()]
    assert {change.confidence for change in published if change} == {0.95}


def test_unverified_numbers_are_named_in_words() -> None:
    assert MEASURES["phq9"].unverified_numbers == ()
    assert MEASURES["bdi"].unverified_numbers == ("reliable change", "clinical cut-off")
    assert MEASURES["bdi2"].unverified_numbers == ("clinical cut-off",)
    assert MEASURES["oq45"].unverified_numbers == ("clinical cut-off",)
    assert MEASURES["hamd17"].unverified_numbers == (
        "standard deviation",
        "reliability",
        "clinical cut-off",
    )
    assert MEASURES["srs"].unverified_numbers == ("standard error of measurement",)


def test_a_computed_reliable_change_is_verified_if_both_its_numbers_were_read() -> None:
    assert MEASURES["core10"].reliable_change is None
    assert MEASURES["core10"].reliable_change_is_verified
    assert not MEASURES["hamd17"].reliable_change_is_verified
    assert not MEASURES["k10"].reliable_change_is_verified


def test_the_k10_says_why_it_cannot_be_judged() -> None:
    assert "cannot_judge : no_threshold" in (MEASURES["k10"].note or "")


def test_a_scale_with_fractions_keeps_two_decimals_of_a_computed_change() -> None:
    toml = tomllib.loads(OWN_MEASURE) | {
        "reliability": {"value": 0.75, "kind": "alpha", "source": "own", "verified": True},
        "standard_deviation": {"value": 2, "population": "own", "source": "own", "verified": True},
    }
    assert Measure.model_validate(toml).reliable_change_points == 2.77  # 1.96 x 1.41421 x 2 x 0.5
    whole = Measure.model_validate(toml | {"integer": True})
    assert whole.reliable_change_points == 3


def test_contradicting_numbers_stay_on_record() -> None:
    not_taken = {
        (measure.measure_id, number.what, number.value)
        for measure in MEASURES.values()
        for number in measure.not_chosen
    }
    assert {
        ("gad7", "reliable_change", 5),
        ("srs", "low_at", 36),
        ("ors", "reliable_change", 6),
        ("pcl5", "reliable_change", 15),
        ("pcl5", "reliable_change", 10),
        ("pcl5", "clinical_cutoff", 28),
        ("pcl5", "clinical_cutoff", 32),
        ("core10", "reliable_change", 6),
    } <= not_taken


@pytest.mark.parametrize(
    ("measure_id", "clinical", "not_clinical"),
    [("phq9", 10, 9), ("gad7", 8, 7), ("ors", 25, 25.1), ("core10", 11, 10), ("mi", 2.3, 2.29)],
)
def test_the_cutoff_itself_is_clinical(
    measure_id: str, clinical: float, not_clinical: float
) -> None:
    assert MEASURES[measure_id].is_clinical(clinical)
    assert not MEASURES[measure_id].is_clinical(not_clinical)


def test_without_a_cutoff_every_score_is_clinical() -> None:
    assert MEASURES["expectation"].is_clinical(0)
    assert MEASURES["expectation"].is_clinical(10)


def test_direction_is_plus_one_where_high_is_worse() -> None:
    better = {measure_id for measure_id, measure in MEASURES.items() if measure.direction == -1}
    own_items = {
        "expectation", "flexibility", "problem_agreement", "relief", "support", "understanding",
        "willingness",
    }  # fmt: skip
    assert better == {"ors", "srs", "wai_sr", *own_items}


def test_only_the_hamilton_scale_and_a_therapists_own_strain_are_filled_in_by_a_clinician() -> None:
    by_clinicians = {name for name, one in MEASURES.items() if one.rater == "clinician"}
    assert by_clinicians == {"hamd17", "therapist_strain"}


def test_item_9_of_the_phq_is_a_safety_item() -> None:
    (item,) = MEASURES["phq9"].subscales
    assert (item.subscale, item.minimum, item.maximum) == ("item_9", 0, 3)
    assert (item.safety, item.flag_from, item.flag_rise_from_zero) == (True, 2, True)
    assert (MEASURES["phq9"].loinc, item.loinc) == ("44261-6", "44260-8")


def test_alliance_measures_have_their_lines() -> None:
    session_rating, inventory = MEASURES["srs"].alliance, MEASURES["wai_sr"].alliance
    assert session_rating is not None
    assert inventory is not None
    assert (session_rating.low_at, session_rating.ceiling_at) == (36, 39)
    assert session_rating.standard_error_of_measurement == 2.0
    assert inventory.total_is_sum_of == ("goal", "task", "bond")
    assert MEASURES["wai_sr"].score_range("bond") == (4, 20)


def test_an_unknown_subscale_is_named_with_the_nearest() -> None:
    with pytest.raises(MeasureContractError, match="did you mean 'bond'"):
        MEASURES["wai_sr"].score_range("bnod")


def test_a_measure_cannot_be_changed() -> None:
    attribute = "name"
    with pytest.raises(ValidationError, match="frozen"):
        setattr(MEASURES["phq9"], attribute, "other")


def test_a_practice_without_own_measures_has_the_built_in_ones(tmp_path: Path) -> None:
    assert measures_for(None) == MEASURES
    assert measures_for(tmp_path / "not_there") == MEASURES
    assert measures_for(tmp_path) == MEASURES


def test_a_practice_adds_a_measure(tmp_path: Path) -> None:
    measures = measures_for(home_with(tmp_path, OWN_MEASURE))
    assert set(measures) == {*MEASURES, "own"}
    assert list(measures) == sorted(measures)
    assert measures["own"].is_clinical(25.5)
    assert measures["own"].unverified_numbers == ()


def test_a_practice_replaces_a_built_in_measure_as_a_whole(tmp_path: Path) -> None:
    own = OWN_MEASURE.replace('"own"', '"phq9"')
    measures = measures_for(home_with(tmp_path, own, "phq9.toml"))
    assert set(measures) == set(MEASURES)
    assert measures["phq9"].cutoff == 25.5
    assert measures["phq9"].reliable_change_points is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("value = 25.5", "valeu = 25.5", r"`clinical_cutoff.valeu` is not known .*'value'"),
        ("value = 25.5", "", r"`clinical_cutoff.value` is missing; expected the last score still"),
        ("value = 25.5", 'value = "25"', r"`clinical_cutoff.value` is not a number; expected"),
        ("value = 25.5", "value = 41", r"`clinical_cutoff.value`: expected 0 to 40"),
        ("value = 25.5", "value = nan", r"`clinical_cutoff.value` is not usable; expected the"),
        ("rater =", "ratr =", r"`ratr` is not known \(did you mean 'rater'\?\)"),
        ("rater =", "ratr =", r"`rater` is missing; expected who fills it in"),
        ('"better"', '"up"', r"`higher_is` is not usable; expected .worse. or .better."),
        ("items = 4", "items = 4.5", r"`items` is not a whole number; expected"),
        ("maximum = 40", "maximum = 0", r"`maximum`: expected more than `minimum`"),
        ('"outcome"', '"alliance"', r"`alliance`: expected a table \[alliance\]"),
        ('construct = "wellbeing"', "", r"`construct` is missing; expected what it measures"),
        ("[clinical_cutoff]", "[clinical_cut_off]", r"did you mean 'clinical_cutoff'"),
        ("[clinical_cutoff]", "[[clinical_cutoff]]", r"`clinical_cutoff` is not a table"),
        ("[clinical_cutoff]", "[clinical_cutoff", r"expected TOML, .*line \d+"),
        ('"own"', '"other"', r"`measure_id`: expected 'own', the file's name"),
        ("licence_verified = true", "zzz = 1", r"`zzz` is not known; expected one of measure_id"),
    ],
)
def test_a_broken_file_is_explained(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(MeasureContractError, match=expected) as caught:
        measures_for(home_with(tmp_path, OWN_MEASURE.replace(old, new)))
    assert all(
        line.startswith(f"{tmp_path / 'own.toml'}: ") for line in str(caught.value).split("\n")
    )
    assert isinstance(caught.value, ContractError)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("flag_form = 2", r"`subscale\[0\].flag_form` is not known \(did you mean 'flag_from'\?\)"),
        ("flag_from = 9\nsafety = true", r"`subscale\[0\].flag_from`: expected a score within"),
        ("flag_from = 2", r"`subscale\[0\].flag_from`: expected with `safety = true`"),
        ("safety = true", r"`subscale\[0\].flag_from`: expected with `safety = true`"),
    ],
)
def test_a_broken_subscale_is_explained(tmp_path: Path, change: str, expected: str) -> None:
    subscale = f"""
[[subscale]]
subscale = "item_1"
name = "Item 1"
minimum = 0
maximum = 4
integer = true
source = "ours"
verified = true
{change}
"""
    with pytest.raises(MeasureContractError, match=expected):
        measures_for(home_with(tmp_path, OWN_MEASURE + subscale))


def test_a_file_that_is_not_utf8_is_explained(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(OWN_MEASURE.replace("Ours.", "\u00fc").encode("latin-1"))
    with pytest.raises(MeasureContractError, match=r"own\.toml: expected text saved as UTF-8"):
        measures_for(tmp_path)


def test_a_file_in_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    home_with(tmp_path, OWN_MEASURE)
    with pytest.raises(MeasureContractError, match="expected a folder"):
        measures_for(tmp_path / "own.toml")


def test_the_fingerprint_changes_with_content_only(tmp_path: Path) -> None:
    fingerprint = measures_fingerprint(MEASURES)
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    assert measures_fingerprint(dict(reversed(MEASURES.items()))) == fingerprint
    with_own = measures_fingerprint(measures_for(home_with(tmp_path, OWN_MEASURE)))
    changed = OWN_MEASURE.replace("25.5", "25.4")
    assert (
        len(
            {
                fingerprint,
                with_own,
                measures_fingerprint(measures_for(home_with(tmp_path, changed))),
            }
        )
        == 3
    )
