"""The new text of `.env`: answers take the place of their variables, and everything else stays."""

import pytest

from truckstream.commands.settings.dotenv_text import QUESTIONS, default_answer, updated
from truckstream.config import SETTINGS
from truckstream.errors import ConfigurationError

REGION, STREAM, BUCKET = QUESTIONS
ANSWERS = {"region": "eu-west-1", "stream_name": "trucks", "bucket_name": None}


def test_every_setting_has_a_question_whose_variable_the_commands_read():
    assert [question.setting for question in QUESTIONS] == list(SETTINGS)
    assert all(question.variable in question.setting.variables for question in QUESTIONS)


def test_a_new_file_explains_each_variable_and_leaves_out_what_has_no_answer():
    assert updated("", ANSWERS) == (
        "# The AWS region of the stream and the bucket.\nAWS_REGION=eu-west-1\n\n"
        "# The Kinesis stream: its name or its ARN.\nSTREAM_NAME=trucks\n"
    )


def test_variables_keep_their_places_and_other_lines_their_text():
    text = (
        "# mine\nAWS_SECRET_ACCESS_KEY='a b # c'\n\nSTREAM_NAME=old # why\nNOT A LINE\nexport OTHER=\"two\nREGION=x\"\n"
    )
    assert updated(text, ANSWERS) == (
        "# mine\nAWS_SECRET_ACCESS_KEY='a b # c'\n\nSTREAM_NAME=trucks\nNOT A LINE\nexport OTHER=\"two\nREGION=x\"\n\n"
        "# The AWS region of the stream and the bucket.\nAWS_REGION=eu-west-1\n"
    )


def test_other_names_of_a_setting_are_removed_because_they_must_agree():
    text = "stream_name=a\nREGION=us-east-1\nSTREAM_NAME=b\nregion=us-west-2\nBUCKET_NAME=old"
    assert updated(text, ANSWERS) == "STREAM_NAME=trucks\nAWS_REGION=eu-west-1\n"


def test_writing_the_same_answers_again_changes_nothing():
    text = updated("A=1\n", ANSWERS)
    assert updated(text, ANSWERS) == text


@pytest.mark.parametrize(
    ("flag", "environ", "dotenv", "offered"),
    [
        (None, {}, {}, "truck-sensor-stream"),
        (None, {}, {"stream_name": "file"}, "file"),
        (None, {"STREAM_NAME": "environment"}, {"stream_name": "file"}, "environment"),
        ("flag", {"STREAM_NAME": "environment"}, {"stream_name": "file"}, "flag"),
    ],
)
def test_the_answer_that_is_offered_is_what_a_command_would_use(flag, environ, dotenv, offered):
    assert default_answer(STREAM, flag, environ, dotenv) == (offered, None)


def test_a_fallback_and_the_faults_of_other_settings_do_not_matter():
    environ = {"AWS_DEFAULT_REGION": "eu-west-1", "BUCKET_NAME": "Not A Bucket"}
    assert default_answer(REGION, None, environ, {}).value == "eu-west-1"


@pytest.mark.parametrize("dotenv", [{"BUCKET_NAME": "Bad"}, {"BUCKET_NAME": "one", "bucket_name": "two"}])
def test_an_invalid_value_is_not_offered_but_explained(dotenv):
    value, problem = default_answer(BUCKET, None, {}, dotenv)
    assert value is None
    assert problem.startswith("bucket_name ")


def test_an_invalid_flag_is_an_error():
    with pytest.raises(ConfigurationError, match=r"bucket_name is 'Bad' \(from --bucket\)"):
        default_answer(BUCKET, "Bad", {}, {})
