//! Stores, groups of processes and reducers (`shim/group.cpp`).

use std::ffi::{CString, c_char};
use std::marker::{PhantomData, PhantomPinned};
use std::ptr::NonNull;

use tch::Tensor;

use super::{Handle, checked, handle, handles, made, take};

/// An object of the shim, only ever behind a pointer.
#[repr(C)]
struct Opaque {
    _bytes: [u8; 0],
    _kind: PhantomData<(*mut u8, PhantomPinned)>,
}

type Object = *mut Opaque;

unsafe extern "C" {
    fn tutor_store(
        host: *const c_char,
        port: u16,
        serves: bool,
        timeout_ms: i64,
        out: *mut Object,
    ) -> *mut c_char;
    fn tutor_store_within(store: Object, prefix: *const c_char, out: *mut Object) -> *mut c_char;
    fn tutor_store_free(store: Object);
    fn tutor_store_add(
        store: Object,
        key: *const c_char,
        amount: i64,
        out: *mut i64,
    ) -> *mut c_char;
    fn tutor_store_set(store: Object, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn tutor_store_get(store: Object, key: *const c_char, out: *mut *mut c_char) -> *mut c_char;
    fn tutor_group(
        store: Object,
        rank: i32,
        size: i32,
        address: *const c_char,
        timeout_ms: i64,
        out: *mut Object,
    ) -> *mut c_char;
    fn tutor_group_free(group: Object);
    fn tutor_group_failure(group: Object) -> *mut c_char;
    fn tutor_all_reduce(group: Object, t: Handle, largest: bool, out: *mut Object) -> *mut c_char;
    fn tutor_broadcast(group: Object, t: Handle, root: i32, out: *mut Object) -> *mut c_char;
    fn tutor_all_gather(
        group: Object,
        parts: *const Handle,
        t: Handle,
        out: *mut Object,
    ) -> *mut c_char;
    fn tutor_barrier(group: Object, out: *mut Object) -> *mut c_char;
    fn tutor_sum_over_all(group: Object, t: Handle, out: *mut Handle) -> *mut c_char;
    fn tutor_work_wait(work: Object) -> *mut c_char;
    fn tutor_work_done(work: Object) -> bool;
    fn tutor_work_free(work: Object);
    fn tutor_reducer(
        group: Object,
        p: *const Handle,
        n: usize,
        first: i64,
        limit: i64,
        out: *mut Object,
    ) -> *mut c_char;
    fn tutor_reducer_free(reducer: Object);
    fn tutor_reducer_buckets(reducer: Object) -> usize;
    fn tutor_reducer_sent(reducer: Object) -> usize;
    fn tutor_reducer_arm(reducer: Object);
    fn tutor_reducer_finish(reducer: Object) -> *mut c_char;
}

/// An object of the shim with the function that frees it.
#[derive(Debug)]
struct Owned {
    object: NonNull<Opaque>,
    free: unsafe extern "C" fn(Object),
}

impl Owned {
    fn made(
        free: unsafe extern "C" fn(Object),
        make: impl FnOnce(*mut Object) -> *mut c_char,
    ) -> Result<Self, String> {
        let mut object = std::ptr::null_mut();
        checked(make(&mut object))?;
        let object = NonNull::new(object).expect("an object, since there is no error");
        Ok(Self { object, free })
    }

    fn get(&self) -> Object {
        self.object.as_ptr()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the shim made the object for this function to free, and nobody else does.
        unsafe { (self.free)(self.get()) }
    }
}

fn text(value: &str) -> Result<CString, String> {
    CString::new(value).map_err(|e| format!("{value:?}: {e}"))
}

/// A connection to the key-value store of a group.
#[derive(Debug)]
pub(crate) struct Store(Owned);

// SAFETY: c10d's stores are used by one thread at a time, and by any: they are a socket and a lock.
unsafe impl Send for Store {}

impl Store {
    pub(crate) fn open(
        host: &str,
        port: u16,
        serves: bool,
        timeout_ms: i64,
    ) -> Result<Self, String> {
        let host = text(host)?;
        // SAFETY: `host` ends in 0 and outlives the call.
        let open =
            |out: *mut _| unsafe { tutor_store(host.as_ptr(), port, serves, timeout_ms, out) };
        Owned::made(tutor_store_free, open).map(Self)
    }

    /// A view of this store in which all keys begin with `prefix`.
    pub(crate) fn within(&self, prefix: &str) -> Result<Self, String> {
        let prefix = text(prefix)?;
        // SAFETY: the store is live; the text ends in 0.
        let make = |out: *mut _| unsafe { tutor_store_within(self.0.get(), prefix.as_ptr(), out) };
        Owned::made(tutor_store_free, make).map(Self)
    }

    /// Adds to a counter, which begins at 0; gives its new value.
    pub(crate) fn add(&self, key: &str, amount: i64) -> Result<i64, String> {
        let (key, mut found) = (text(key)?, 0);
        // SAFETY: the store is live, the text ends in 0, `found` outlives the call.
        checked(unsafe { tutor_store_add(self.0.get(), key.as_ptr(), amount, &mut found) })?;
        Ok(found)
    }

    pub(crate) fn set(&self, key: &str, value: &str) -> Result<(), String> {
        let (key, value) = (text(key)?, text(&value.replace('\0', " "))?);
        // SAFETY: the store is live, both texts end in 0.
        checked(unsafe { tutor_store_set(self.0.get(), key.as_ptr(), value.as_ptr()) })
    }

    /// `None` where the key has no value yet.
    pub(crate) fn get(&self, key: &str) -> Result<Option<String>, String> {
        let (key, mut found) = (text(key)?, std::ptr::null_mut());
        // SAFETY: the store is live, the text ends in 0, `found` outlives the call.
        checked(unsafe { tutor_store_get(self.0.get(), key.as_ptr(), &mut found) })?;
        Ok(take(found))
    }
}

/// An operation under way.
#[derive(Debug)]
pub(crate) struct Work(Owned);

impl Work {
    pub(crate) fn wait(&self) -> Result<(), String> {
        // SAFETY: the work is live.
        checked(unsafe { tutor_work_wait(self.0.get()) })
    }

    pub(crate) fn is_done(&self) -> bool {
        // SAFETY: the work is live.
        unsafe { tutor_work_done(self.0.get()) }
    }
}

/// A group of processes.
#[derive(Debug)]
pub(crate) struct Group(Owned);

impl Group {
    pub(crate) fn join(
        store: &Store,
        [rank, size]: [usize; 2],
        address: &str,
        timeout_ms: i64,
    ) -> Result<Self, String> {
        let number = |n: usize| i32::try_from(n).map_err(|e| format!("{n}: {e}"));
        let (rank, size, address) = (number(rank)?, number(size)?, text(address)?);
        // SAFETY: the store is live, the text ends in 0.
        let join = |out: *mut _| unsafe {
            tutor_group(store.0.get(), rank, size, address.as_ptr(), timeout_ms, out)
        };
        Owned::made(tutor_group_free, join).map(Self)
    }

    /// What the first operation that failed said.
    pub(crate) fn failure(&self) -> Option<String> {
        // SAFETY: the group is live.
        take(unsafe { tutor_group_failure(self.0.get()) })
    }

    /// The sum, or the largest value, in place of a contiguous tensor.
    pub(crate) fn all_reduce(&self, t: &Tensor, largest: bool) -> Result<Work, String> {
        // SAFETY: group and tensor are live; the work keeps the tensor.
        let begin =
            |out: *mut _| unsafe { tutor_all_reduce(self.0.get(), handle(t), largest, out) };
        Owned::made(tutor_work_free, begin).map(Work)
    }

    /// The value of process `root`, in place of a contiguous tensor.
    pub(crate) fn broadcast(&self, t: &Tensor, root: usize) -> Result<Work, String> {
        let root = i32::try_from(root).map_err(|e| e.to_string())?;
        // SAFETY: group and tensor are live; the work keeps the tensor.
        let begin = |out: *mut _| unsafe { tutor_broadcast(self.0.get(), handle(t), root, out) };
        Owned::made(tutor_work_free, begin).map(Work)
    }

    /// `parts` are one contiguous tensor a process, shaped as `t`.
    pub(crate) fn all_gather(&self, parts: &[Tensor], t: &Tensor) -> Result<Work, String> {
        let parts = handles(parts);
        // SAFETY: the caller gives a tensor a process; group and tensors are live, the work keeps
        // the tensors.
        let begin =
            |out: *mut _| unsafe { tutor_all_gather(self.0.get(), parts.as_ptr(), handle(t), out) };
        Owned::made(tutor_work_free, begin).map(Work)
    }

    pub(crate) fn barrier(&self) -> Result<Work, String> {
        // SAFETY: the group is live.
        let begin = |out: *mut _| unsafe { tutor_barrier(self.0.get(), out) };
        Owned::made(tutor_work_free, begin).map(Work)
    }

    /// The sum over all processes with a gradient. A failure is kept by the group.
    pub(crate) fn sum_over_all(&self, t: &Tensor) -> Tensor {
        // SAFETY: group and tensor are live.
        made("sum over processes", |out| unsafe {
            tutor_sum_over_all(self.0.get(), handle(t), out)
        })
    }
}

/// Averages gradients during the backward pass.
#[derive(Debug)]
pub(crate) struct Reducer(Owned);

impl Reducer {
    pub(crate) fn new(group: &Group, params: &[Tensor], limits: [i64; 2]) -> Result<Self, String> {
        let (p, [first, limit]) = (handles(params), limits);
        // SAFETY: `p` holds `p.len()` live tensors, which the reducer keeps.
        let make = |out: *mut _| unsafe {
            tutor_reducer(group.0.get(), p.as_ptr(), p.len(), first, limit, out)
        };
        Owned::made(tutor_reducer_free, make).map(Self)
    }

    pub(crate) fn buckets(&self) -> usize {
        // SAFETY: the reducer is live.
        unsafe { tutor_reducer_buckets(self.0.get()) }
    }

    pub(crate) fn sent(&self) -> usize {
        // SAFETY: the reducer is live.
        unsafe { tutor_reducer_sent(self.0.get()) }
    }

    pub(crate) fn arm(&self) {
        // SAFETY: the reducer is live.
        unsafe { tutor_reducer_arm(self.0.get()) }
    }

    pub(crate) fn finish(&self) -> Result<(), String> {
        // SAFETY: the reducer is live.
        checked(unsafe { tutor_reducer_finish(self.0.get()) })
    }
}
