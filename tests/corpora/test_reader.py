"""What a file name can do wrong, and what is said about it."""

import pytest

from intonate import corpora
from intonate.errors import CorpusError


def reasons(name, root, *files):
    """{file: why it was left out}, beside one clip that is in order."""
    for file in (corpora.get(name).example_names[0], *files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    for file, text in corpora.get(name).example_table.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")
    return {problem.path.removeprefix(f"{root}/"): problem.reason for problem in corpora.read(name, root).problems}


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("ravdess", "03-02-01-01-01-01-01.wav", "song"),
        ("ravdess", "01-01-01-01-01-01-01.mp4", "video"),
        ("ravdess", "03-01-09-01-01-01-01.wav", "emotion '09'"),
        ("ravdess", "03-01-05-01-01-01-25.wav", "actor '25'"),
        ("ravdess", "03-01-05-01-03-01-01.wav", "statement '03'"),
        ("ravdess", "03-01-05-01-01.wav", "does not follow"),
        ("banglaser", "19.ogg", "does not follow"),
        ("banglaser", "03-01-06-01-01-01-01.ogg", "emotion '06'"),
        ("emodb", "04a01Fa.wav", "speaker '04'"),
        ("emodb", "03a03Fa.wav", "sentence 'a03'"),
        ("emodb", "03a01Xa.wav", "emotion letter 'X'"),
        ("emodb", "03a01F.wav", "does not follow"),
        ("tess", "OAF_back_calm.wav", "emotion 'calm'"),
        ("tess", "MAF_back_sad.wav", "speaker 'MAF'"),
        ("nemo", "SM0_happiness_67.wav", "no row of data.tsv"),
        ("ravdess_song", "03-01-01-01-01-01-01.wav", "a speech clip"),
        ("ravdess_song", "03-03-01-01-01-01-01.wav", "does not follow"),
        ("cremad", "1001_IEO_SUR_XX.wav", "emotion 'SUR'"),
        ("cremad", "1001_ABC_SAD_XX.wav", "sentence 'ABC'"),
        ("cremad", "1001_IEO_SAD_NO.wav", "level 'NO'"),
        ("cremad", "1092_IEO_SAD_XX.wav", "actor '1092'"),
        ("cremad", "1001_IEO_SAD.wav", "does not follow"),
        ("savee", "DC_c01.wav", "emotion 'c'"),
        ("savee", "AB/a01.wav", "speaker 'AB'"),
        ("savee", "DC/a16.wav", "number '16'"),
        ("savee", "a01.wav", "does not follow"),
        ("subesco", "F_11_NAME_S_1_SAD_1.wav", "speaker '11'"),
        ("subesco", "F_01_NAME_S_11_SAD_1.wav", "sentence '11'"),
        ("subesco", "F_01_NAME_S_1_CALM_1.wav", "emotion 'CALM'"),
        ("subesco", "F_01_NAME_S_1_SAD_6.wav", "does not follow"),
        ("iemocap", "Ses06F_impro01_F000.wav", "does not follow"),
        ("folder", "monday.wav", "no sub-folder"),
        ("folder", "hapy/monday.wav", "did you mean 'happy'"),
    ],
)
def test_a_name_outside_the_grammar_is_reported_with_its_reason(tmp_path, name, file, reason):
    assert reason in reasons(name, tmp_path, file)[file]


@pytest.mark.parametrize(
    ("name", "pattern", "codes"),
    [
        (
            "ravdess",
            "03-01-{}-01-01-01-01.wav",
            "01 neutral 02 calm 03 happy 04 sad 05 angry 06 fear 07 disgust 08 surprise",
        ),
        ("banglaser", "03-01-{}-01-01-01-01.wav", "01 happy 02 sad 03 angry 04 surprise 05 neutral"),
        ("cremad", "1001_IEO_{}_XX.wav", "ANG angry DIS disgust FEA fear HAP happy NEU neutral SAD sad"),
        ("savee", "DC_{}01.wav", "a angry d disgust f fear h happy n neutral sa sad su surprise"),
        (
            "subesco",
            "F_01_NAME_S_1_{}_1.wav",
            "ANGRY angry DISGUST disgust FEAR fear HAPPY happy NEUTRAL neutral SAD sad SURPRISE surprise",
        ),
        ("ravdess_song", "03-02-{}-01-01-01-01.wav", "01 neutral 02 calm 03 happy 04 sad 05 angry 06 fear"),
        ("emodb", "03a01{}a.wav", "W angry L boredom E disgust A fear F happy T sad N neutral"),
        (
            "tess",
            "YAF_back_{}.wav",
            "angry angry disgust disgust fear fear happy happy neutral neutral ps surprise sad sad",
        ),
    ],
)
def test_every_code_means_its_emotion(tmp_path, name, pattern, codes):
    words = codes.split()
    meaning = dict(zip(words[::2], words[1::2], strict=True))
    for code in meaning:
        (tmp_path / pattern.format(code)).write_bytes(b"")
    read = {utterance.path: utterance.emotion for utterance in corpora.read(name, tmp_path).utterances}
    assert read == {str(tmp_path / pattern.format(code)): emotion for code, emotion in meaning.items()}


def test_companion_files_of_emodb_are_not_clips(tmp_path):
    assert reasons("emodb", tmp_path, "lablaut/03a01Fa.lablaut", "silb/03a01Fa.silb", "erkennung.txt") == {}


def test_rows_without_a_file_are_counted(tmp_path):
    for file in ("samples/SM0_happiness_66.wav", "samples/EB0_surprised_1.ogg"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    (tmp_path / "data.tsv").write_text(
        corpora.get("nemo").example_table["data.tsv"] + "WR0_fear_1.wav\tfear\tA.\ta\tWR0\tmale\t23\n"
    )
    reading = corpora.read("nemo", tmp_path)
    assert reading.missing_clips == 2
    assert {utterance.speaker for utterance in reading.utterances} == {"nemo/SM0", "nemo/EB0"}


def test_nemo_without_its_table_says_what_is_missing(tmp_path):
    (tmp_path / "SM0_happiness_66.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"no data\.tsv"):
        corpora.read("nemo", tmp_path)
    (tmp_path / "data.tsv").write_text("file_id\temotion\n")
    with pytest.raises(CorpusError, match="no column 'raw_text'"):
        corpora.read("nemo", tmp_path)


def test_the_wrong_corpus_is_recognised(tmp_path):
    (tmp_path / "OAF_back_angry.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"none of the 1 audio files .* can be read as EMO-DB.*OAF_back_angry"):
        corpora.read("emodb", tmp_path)


def test_labels_of_a_folder_are_the_innermost_emotion(tmp_path):
    for file in ("happy/sad/1.wav", "train/Joy/anna/x/1.wav", "anger/1.wav"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_bytes(b"")
    reading = corpora.read("folder", tmp_path)
    assert [(u.emotion, u.raw_label, u.speaker) for u in reading.utterances] == [
        ("angry", "anger", ""),
        ("sad", "sad", ""),
        ("happy", "Joy", "folder/anna"),
    ]


def test_relative_roots_are_kept_relative(tmp_path, monkeypatch):
    (tmp_path / "mine" / "sad").mkdir(parents=True)
    (tmp_path / "mine" / "sad" / "1.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert corpora.read("folder", "mine").utterances[0].path == "mine/sad/1.wav"


def test_a_folder_with_two_tables_asks_which(tmp_path):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(CorpusError, match="2 CSV files"):
        corpora.read("table", tmp_path)


def test_a_missing_folder_is_named_without_an_address_that_there_is_not(tmp_path):
    with pytest.raises(CorpusError, match=r"sub-folders are labels$"):
        corpora.read("folder", tmp_path / "nowhere")
