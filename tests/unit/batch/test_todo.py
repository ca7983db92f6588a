"""Rules of the queue that a batch's threads take from."""

import threading

from flyllm._batch.item import Item
from flyllm._batch.todo import Todo
from flyllm.request import GenerationRequest

HANG = 20.0


def item(index: int, task: str | None = None) -> Item:
    return Item(index, GenerationRequest("x", task=task))


def test_the_oldest_comes_first_whatever_its_task() -> None:
    todo = Todo(16)
    for index, task in enumerate(["a", "b", None, "a"]):
        todo.put(item(index, task))
    assert [todo.take().index for _ in range(4)] == [0, 1, 2, 3]  # type: ignore[union-attr]


def test_a_task_with_enough_waiting_threads_is_passed_over() -> None:
    """Its requests stay; those of the other task, though younger, are taken."""
    todo = Todo(16)
    for index in range(20):
        todo.put(item(index, "a"))
    todo.put(item(20, "b"))
    contexts = [todo.waits("a") for _ in range(8)]
    for context in contexts:
        context.__enter__()
    taken = todo.take()
    assert taken is not None
    assert taken.request.task == "b"
    contexts[0].__exit__(None, None, None)
    again = todo.take()
    assert again is not None
    assert again.index == 0


def test_a_thread_goes_on_when_a_place_was_found() -> None:
    """It sleeps while all it could take is held back."""
    todo = Todo(16)
    todo.put(item(0, "a"))
    contexts = [todo.waits("a") for _ in range(8)]
    for context in contexts:
        context.__enter__()
    taken: list[Item | None] = []
    thread = threading.Thread(target=lambda: taken.append(todo.take()))
    thread.start()
    assert not taken
    contexts[0].__exit__(None, None, None)
    thread.join(HANG)
    assert [each.index for each in taken if each] == [0]


def test_closing_lets_threads_go_once_it_is_empty() -> None:
    todo = Todo(16)
    todo.put(item(0))
    todo.close()
    assert todo.take() is not None
    assert todo.take() is None


def test_closing_can_drop_the_rest() -> None:
    todo = Todo(16)
    todo.put(item(0))
    assert [each.index for each in todo.drop()] == [0]
    todo.close()
    assert todo.take() is None


def test_it_says_whether_somebody_stands_idle() -> None:
    """A thread that waits for work takes it; another one need not be started."""
    todo = Todo(16)
    assert not todo.put(item(0))
    assert todo.take() is not None
    thread = threading.Thread(target=todo.take)
    thread.start()
    for _ in range(10_000):
        with todo._change:
            if todo._idle:
                break
        threading.Event().wait(0.001)
    assert todo.put(item(1))
    thread.join(HANG)
