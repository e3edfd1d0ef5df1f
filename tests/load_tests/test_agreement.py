from load_tests.agreement import disagreements


def test_equal_counts_agree() -> None:
    assert disagreements({200: 5, 422: 1}, {200: 15, 422: 3, 500: 0}, {200: 10, 422: 2}) == []


def test_an_answer_that_was_not_counted_is_named() -> None:
    assert disagreements({200: 0}, {200: 9}, {200: 10}) == [
        "clients saw 10 answers with 200, /metrics counted 9"
    ]


def test_an_answer_that_no_client_saw_is_named() -> None:
    assert disagreements({}, {200: 10, 500: 1}, {200: 10}) == [
        "clients saw 0 answers with 500, /metrics counted 1"
    ]


def test_a_client_that_disconnected_may_have_been_answered_or_not() -> None:
    assert disagreements({}, {200: 12, 499: 3}, {200: 10}, disconnected=5) == []
    assert disagreements({}, {200: 12, 499: 4}, {200: 10}, disconnected=5) == [
        "5 clients disconnected, /metrics counted 6 unread answers"
    ]
