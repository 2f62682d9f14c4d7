//! Tasks that beget tasks, worked off by several threads, the newest first: a tree is then left
//! depth first and few of its folders are open at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A stack of tasks with the number of those being performed.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    change: Condvar,
}

struct State<T> {
    tasks: Vec<T>,
    performing: usize,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Queue {
            state: Mutex::new(State {
                tasks: Vec::new(),
                performing: 0,
            }),
            change: Condvar::new(),
        }
    }

    /// Adds a task; one that is being performed may do so.
    pub(super) fn push(&self, task: T) {
        self.state().tasks.push(task);
        self.change.notify_one();
    }

    /// Performs tasks until none is left and none can come. Called by each thread.
    pub(super) fn work_off(&self, perform: impl Fn(T)) {
        let mut state = self.state();
        loop {
            if let Some(task) = state.tasks.pop() {
                state.performing += 1;
                drop(state);
                perform(task);
                state = self.state();
                state.performing -= 1;
            } else if state.performing == 0 {
                self.change.notify_all();
                return;
            } else {
                state = self
                    .change
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
