"""Report tables: encodings, separators, broken rows, and which case a row belongs to."""

from __future__ import annotations

import csv
import gzip
import io
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.core.report import ReportColumns, ReportRow, RowIndex, loose_id, loosest_id
from labeler.storage.delimited import parse_table
from labeler.storage.reports import ReportLibrary, read_report_columns
from labeler.storage.text_encoding import decode_text

TRADITIONAL = "肝臟第八節有一個3.2公分的動脈期顯影腫瘤\uff0c門脈期洗出\uff0c疑似肝細胞癌。"
SIMPLIFIED = "肝右叶见一大小约3.2cm的动脉期强化结节\uff0c门脉期廓清\uff0c考虑肝细胞癌。"


def load(tmp_path: Path, content: bytes | str, **kwargs: object) -> ReportLibrary:
    path = tmp_path / "r.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ReportLibrary.load([path], **kwargs)  # type: ignore[arg-type]


# Encodings


@pytest.mark.parametrize(
    "text", [TRADITIONAL, "囊腫", "肝癌", "無", "右葉血管瘤", "腹水", "肺", "病歷號與報告"]
)
def test_big5_is_recognized(text: str) -> None:
    assert decode_text(f"id,text\n1,{text}".encode("cp950")) == (
        f"id,text\n1,{text}",
        "cp950",
        True,
    )


@pytest.mark.parametrize(
    "text", [SIMPLIFIED, "囊肿", "肝癌", "无", "右叶血管瘤", "腹水", "肺", TRADITIONAL]
)
def test_gb18030_is_recognized(text: str) -> None:
    expected = (f"id,text\n1,{text}", "gb18030", True)
    assert decode_text(f"id,text\n1,{text}".encode("gb18030")) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_recognized_with_and_without_a_mark(encoding: str) -> None:
    text, _, is_sure = decode_text(f"id,text\n1,{SIMPLIFIED} or so\n".encode(encoding))
    assert text == f"id,text\n1,{SIMPLIFIED} or so\n"
    assert is_sure


def test_western_text_is_not_taken_for_chinese() -> None:
    text = "id;Befund\n1;Läsion im Leberlappen, Größe 3 cm\n2;unauffällig"
    assert decode_text(text.encode("cp1252")) == (text, "cp1252", False)


def test_utf8_with_a_bad_byte_stays_utf8() -> None:
    text, encoding, is_sure = decode_text((SIMPLIFIED * 3).encode() + b"\xff")
    assert text == SIMPLIFIED * 3 + "\ufffd"
    assert encoding == "utf-8"
    assert not is_sure


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded(content: bytes) -> None:
    assert isinstance(decode_text(content)[0], str)


# Tables


def test_separators_are_found() -> None:
    for delimiter in ",;\t|":
        table = parse_table(f"id{delimiter}text\n1{delimiter}a\n2{delimiter}b\n")
        assert table.columns == ["id", "text"], delimiter
        assert [cells for _, cells in table.rows] == [["1", "a"], ["2", "b"]]
        assert not table.problems


def test_separators_inside_the_text_do_not_mislead() -> None:
    table = parse_table("id;finding\n1;a, b, c, d\n2;e, f\n3;g, h, i\n")
    assert table.rows[0] == (2, ["1", "a, b, c, d"])
    table = parse_table("sep=|\nid|a,b\n1|2\n")
    assert table.columns == ["id", "a,b"]


def test_quoted_cells_may_hold_everything() -> None:
    text = 'id,text,date\r\nP1,"one, two\r\n""three""\r\n",2020\r\nP2, "spaced" ,2021\r\n'
    table = parse_table(text)
    assert table.rows == [(2, ["P1", 'one, two\n"three"\n', "2020"]), (5, ["P2", "spaced", "2021"])]
    assert not table.problems


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab ",;\n|\t肝'), max_size=8), min_size=2, max_size=2),
        max_size=8,
    )
)
def test_what_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["case", "text", "last"])
    for number, row in enumerate(rows):
        writer.writerow([str(number), *row])
    table = parse_table(out.getvalue())
    assert [cells for _, cells in table.rows] == [[str(n), *row] for n, row in enumerate(rows)]
    assert table.columns == ["case", "text", "last"]


@given(st.text(st.sampled_from('ab",;\n\r|\t\0肝 '), max_size=200))
def test_any_text_is_parsed_and_rows_fit_the_columns(text: str) -> None:
    table = parse_table(text)
    assert all(len(cells) == len(table.columns) for _, cells in table.rows)
    assert len(set(table.columns)) == len(table.columns)


def test_a_quote_that_is_not_closed_costs_its_own_row_only() -> None:
    table = parse_table('id,text,date\nP1,"not closed,2020\nP2,"fine",2021\nP3,also fine,2022\n')
    assert table.rows == [
        (2, ["P1", "not closed", "2020"]),
        (3, ["P2", "fine", "2021"]),
        (4, ["P3", "also fine", "2022"]),
    ]
    assert table.problems == [
        "line 2: a quote is not closed; the row was kept as far as it can be read"
    ]


def test_a_quote_that_is_not_closed_in_a_later_cell() -> None:
    table = parse_table('id,a,b\nP1,"x","y\nP2,u,v\n')
    assert table.rows == [(2, ["P1", "x", "y"]), (3, ["P2", "u", "v"])]
    table = parse_table('id,a,b\nP1,"x\nx","y\nP2,u,v\n')
    assert [cells[0] for _, cells in table.rows] == ["P1", 'x"', "P2"]
    assert len(table.problems) >= 1


def test_quotes_within_quotes_are_text() -> None:
    table = parse_table('id,text,date\nP1,"a "hot" spot",2020\nP2,"of\nsize "3 cm" or so",2021\n')
    assert table.rows == [
        (2, ["P1", 'a "hot" spot', "2020"]),
        (3, ["P2", 'of\nsize "3 cm" or so', "2021"]),
    ]
    assert len(table.problems) == 1


def test_ragged_rows_keep_their_text() -> None:
    table = parse_table("id,text\n1,a, with, commas\n2\n3,b,,\n")
    assert [cells for _, cells in table.rows] == [["1", "a, with, commas"], ["2", ""], ["3", "b"]]
    assert table.problems == [
        "line 2: there are more cells than columns; the rest is in the last column",
        "line 3: there are fewer cells than columns; the rest is empty",
    ]


def test_titles_are_made_unique_and_never_empty() -> None:
    table = parse_table("id,text,,text,text (2)\n1,a,b,c,d\n")
    assert table.columns == ["id", "text", "Column 3", "text (2)", "text (2) (2)"]


@pytest.mark.parametrize("text", ["", "\n\n", " \r\n "])
def test_empty_tables(text: str) -> None:
    table = parse_table(text)
    assert table.problems == ["is empty"]
    assert parse_table("id,text\n").problems == ["the table has no rows"]


def test_damaged_tables_take_no_longer_than_sound_ones() -> None:
    """Nothing here may be quadratic: each of these took minutes with a naive reader."""
    lines = 40_000
    bodies = [
        line * lines for line in ('a,"b\n', 'a,""b\n', '"\n', 'a,"b"c\n', '"a,b\n', ',"",""x\n')
    ]
    for body in (*bodies, 'a,""b\n' * 50 + "x,y\n" * 10 * lines):
        started = time.process_time()
        parse_table("id,text\n" + body)
        assert time.process_time() - started < 3.0, body[:12]


def test_huge_cells() -> None:
    text = "x" * 3_000_000
    assert parse_table(f'id,text\n1,"{text}\nend"\n2,b\n').rows[0] == (2, ["1", f"{text}\nend"])


def test_many_faults_are_counted_not_listed() -> None:
    table = parse_table("id,text\n" + "1,a,b\n" * 1000)
    assert table.problems == [
        "lines 2, 3, 4, 5, 6 and 995 more: there are more cells than columns; "
        "the rest is in the last column"
    ]


# Libraries


def test_rows_of_several_files(tmp_path: Path) -> None:
    radiology, pathology = tmp_path / "radiology.csv", tmp_path / "pathology.csv"
    radiology.write_bytes(
        f"case_id,date,findings\nP1,2020,{TRADITIONAL}\nP1,2021,b\n".encode("cp950")
    )
    pathology.write_bytes(f"id;diagnosis\nP1;{SIMPLIFIED}\nP2;x\n".encode("gb18030"))
    library = ReportLibrary.load([radiology, pathology])
    assert library.columns == ["case_id", "date", "findings", "id", "diagnosis"]
    rows = library.rows_for("P1")
    assert [(row.source, row.line) for row in rows] == [
        ("radiology.csv", 2),
        ("radiology.csv", 3),
        ("pathology.csv", 2),
    ]
    assert rows[0].values["findings"] == TRADITIONAL
    assert rows[2].values["diagnosis"] == SIMPLIFIED
    assert library.problems == []
    assert [row.case_id for row in library.unmatched(["P1"])] == ["P2"]
    assert library.rows_for("P3") == []


def test_the_id_column_is_found(tmp_path: Path) -> None:
    library = load(tmp_path, "n,Case ID,text\n1,P1,a\n")
    assert library.rows_for("P1")
    assert load(tmp_path, "n,病歷號,text\n1,P1,a\n").rows_for("P1")
    by_content = load(tmp_path, "n,wer,text\n1,P1,a\n2,P2,b\n", case_ids=["P1", "P2"])
    assert by_content.rows_for("P2")
    assert by_content.problems == [
        "r.csv: no column is called case id; 'wer' holds ids of cases and is used."
    ]
    first = load(tmp_path, "wer,text\nP1,a\n")
    assert first.rows_for("P1")
    assert "'wer', is used" in first.problems[0]
    assert load(tmp_path, "id,other\nP1,Q1\n", id_column="other").rows_for("Q1")


def test_rows_without_id_are_counted(tmp_path: Path) -> None:
    library = load(tmp_path, "id,text\n,a\n  ,b\nP1,c\n")
    assert len(library) == 1
    assert library.problems == ["r.csv: 2 row(s) without a case id."]


def test_problems_name_file_and_line(tmp_path: Path) -> None:
    library = load(tmp_path, 'id,text\nP1,"open\nP2,b\n')
    assert library.problems == [
        "r.csv, line 2: a quote is not closed; the row was kept as far as it can be read."
    ]
    assert library.rows_for("P1")[0].values["text"] == "open"
    assert library.rows_for("P2")[0].values["text"] == "b"


def test_zero_bytes_are_left_out(tmp_path: Path) -> None:
    library = load(tmp_path, b"id,text\nP1,a\0b\x07c\n")
    assert library.rows_for("P1")[0].values["text"] == "abc"
    assert library.problems == ["r.csv: zero bytes were left out."]


def random_bytes(count: int) -> bytes:
    return np.random.default_rng(count).integers(0, 256, count, np.uint8).tobytes()


@pytest.mark.parametrize(
    "content",
    [
        random_bytes(100),
        random_bytes(50_000),
        gzip.compress(random_bytes(5000)),
        b"PK\x03\x04" + zlib.compress(random_bytes(3000)),
        b"%PDF-1.7\n" + zlib.compress(random_bytes(3000)),
        np.random.default_rng(0).normal(40, 100, 20_000).astype("<i2").tobytes(),
        np.random.default_rng(0).integers(0, 3, 20_000).astype(np.uint8).tobytes(),
        bytes(5000),
        b"id,text\nP1," + bytes(500),
    ],
    ids=["few", "noise", "gzip", "zip", "pdf", "voxels", "labels", "zeros", "overwritten"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    library = load(tmp_path, content)
    assert library.problems == ["r.csv is no table: its content is not text."]
    assert len(library) == 0
    assert library.columns == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").touch()
    library = ReportLibrary.load(
        [tmp_path / "gone.csv", tmp_path / "folder.csv", tmp_path / "empty.csv"]
    )
    assert library.problems == [
        "gone.csv cannot be read (no such file or directory).",
        "folder.csv is not a file.",
        "empty.csv is empty.",
    ]


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    assert ReportLibrary.load([path]).problems == ["big.csv is too large for a report table."]


# Matching


def rows(*ids: str) -> RowIndex:
    return RowIndex(ReportRow("r.csv", n, case_id, {}) for n, case_id in enumerate(ids))


@pytest.mark.parametrize(
    ("written", "case_id"),
    [
        ("P1", "P1"),
        ("p1 ", "P1"),
        ("\uff30\uff11", "P1"),
        ("LV  00417", "lv 00417"),
        ("7", "007"),
        ("P1", "P001"),
        ("12.0", "0012"),
        ("case_07_2", "case_7_02"),
    ],
)
def test_ids_match_loosely(written: str, case_id: str) -> None:
    assert rows(written, "other").row_id(case_id) == written


@pytest.mark.parametrize(
    ("written", "case_id"),
    [("P1", "P10"), ("P10", "P1"), ("P1", "Q1"), ("1.5", "15"), ("P1", "P1_2"), ("10", "1")],
)
def test_other_ids_do_not_match(written: str, case_id: str) -> None:
    assert rows(written).row_id(case_id) is None


def test_a_strict_match_wins_and_an_unclear_one_is_none() -> None:
    index = rows("1", "01", "p2", "P2")
    assert index.row_id("01") == "01"
    assert index.row_id("1") == "1"
    assert index.row_id("001") is None
    assert index.row_id("P2") == "P2"
    assert index.row_id(" P2") is None


@given(st.text(max_size=20))
def test_loose_forms_are_stable(case_id: str) -> None:
    assert loose_id(loose_id(case_id)) == loose_id(case_id)
    assert loosest_id(loose_id(case_id)) == loosest_id(case_id)


# Columns


def test_columns_are_ordered_titled_and_hidden() -> None:
    columns = ReportColumns(("findings", "Date"), ("patient name",), {"findings": "Findings"})
    row = ReportRow(
        "r",
        2,
        "P1",
        {"date": "2020", "Patient_Name": "x", "extra": " e ", "Findings": "f", "no": ""},
    )
    assert columns.fields(row) == [("Findings", "f"), ("date", "2020"), ("extra", "e")]
    listed = ReportColumns(("Date",), only_listed=True)
    assert listed.fields(row) == [("date", "2020")]


def test_the_shipped_columns_are_sound() -> None:
    columns, problems = read_report_columns()
    assert problems == []
    assert columns.id_column(["Date", "Case No.", "patient"]) == "Case No."
    assert columns.order(["findings", "Patient Name", "date"]) == ["date", "findings"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("show = 3", "r.toml: show must be a list of texts and is ignored."),
        ("titles = []", "r.toml: titles must be a table of texts and is ignored."),
        ("only_listed = 'x'", "r.toml: only_listed must be true or false and is ignored."),
        ("colour = 1", "r.toml: colour is unknown and ignored."),
        ("x = ", "r.toml is not valid TOML"),
    ],
)
def test_bad_columns_are_reported_and_ignored(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(f"hide = ['a']\n{text}\n" if "= \n" not in text + "\n" else text)
    columns, problems = read_report_columns(path)
    assert problems[0].startswith(problem)
    assert columns.hide in (("a",), ())
