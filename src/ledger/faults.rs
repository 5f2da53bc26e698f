//! What the ledger does when its store fails. Tests only.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::tests::{all, clock, intent, kinds, new_ledger, random, start};
use super::*;
use crate::domain::Digest;
use crate::store::sqlite::SqliteStore;
use crate::store::{Batch, Filter, Head, Inspected, Listed, ReadId, Replica, Store, StoredEntry};

/// What a store does wrong when asked for a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Nothing is stored.
    Before,
    /// All is stored, but the answer is an error.
    After,
}

struct FaultyStore {
    inner: SqliteStore,
    fault: Arc<Mutex<Fault>>,
}

impl crate::store::Reader for FaultyStore {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.inner.head()
    }
    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.inner.entries(from, count)
    }
    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.tile(level, index)
    }
    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        self.inner.open_releases()
    }
    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        self.inner.entered(id)
    }
    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
        self.inner.entered_reads()
    }
    fn inspect(&mut self, range: Range<u64>, empty: Listed) -> Result<Inspected, StoreError> {
        self.inner.inspect(range, empty)
    }
    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.inner.find(filter, from, count)
    }
}

impl Store for FaultyStore {
    fn settle(&mut self) -> Result<(), StoreError> {
        self.inner.settle()
    }
    fn begin(&mut self) -> Result<Head, StoreError> {
        self.inner.begin()
    }
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let fault = *self.fault.lock().unwrap();
        if fault != Fault::Before {
            self.inner.commit(batch)?;
        }
        if fault == Fault::None { Ok(()) } else { Err(StoreError::Number) }
    }
    fn abandon(&mut self) -> Result<(), StoreError> {
        self.inner.abandon()
    }
    fn tidy(&mut self, idle: bool) -> Result<(), StoreError> {
        self.inner.tidy(idle)
    }
}

async fn until_writable(ledger: &Ledger) {
    for _ in 0..200 {
        if ledger.is_writable() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the ledger does not recover");
}

#[tokio::test]
async fn a_start_whose_commit_fails_leaves_a_whole_change_of_policies_or_none() {
    let policies: Vec<_> =
        (0..200).map(|number| (format!("p{number}"), "1".to_owned(), Digest::of(b"a"))).collect();
    for (fault, stored) in [(Fault::Before, 0), (Fault::After, 4)] {
        let (directory, signer) = new_ledger();
        let changes = || kinds(directory.path()).iter().filter(|kind| *kind == "policy.change").count();
        for (fault, expected) in [(fault, stored), (Fault::None, 4), (Fault::None, 4)] {
            let database = directory.path().join(DATABASE_FILE);
            let connect = move |_: &Replica<'_>| {
                let inner = SqliteStore::open(&database)?;
                Ok(Box::new(FaultyStore { inner, fault: Arc::new(Mutex::new(fault)) }) as Box<dyn Store>)
            };
            let mut options = LedgerOptions::new(directory.path(), signer.clone());
            options.in_force = Some(InForce { policies: policies.clone(), ..InForce::default() });
            let opened = Ledger::open_with(options, start(), clock(), random(), Box::new(connect));
            assert_eq!(opened.is_ok(), fault == Fault::None);
            if let Ok(ledger) = opened {
                ledger.shut_down().await;
            }
            assert_eq!(changes(), expected, "{fault:?}");
        }
        let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
        assert!(matches!(verdict, verify::Verdict::Sound(_)), "{verdict:?}");
    }
}

#[tokio::test]
async fn after_a_failed_commit_the_ledger_goes_on_from_what_is_really_stored() {
    // What becomes of an opening and of an end that fail, by where the commit failed.
    let cases: [(Fault, &[&str], &[&str]); 2] = [
        (Fault::Before, &["resumed"], &["intent", "resumed", "reconciled"]),
        (Fault::After, &["intent", "resumed", "reconciled"], &["intent", "complete", "resumed"]),
    ];
    for (fault, opening, closing) in cases {
        for (is_closing, expected) in [(false, opening), (true, closing)] {
            let (directory, signer) = new_ledger();
            let database = directory.path().join(DATABASE_FILE);
            let now = Arc::new(Mutex::new(Fault::None));
            let shared = Arc::clone(&now);
            let connect = move |_: &Replica<'_>| {
                let inner = SqliteStore::open(&database)?;
                Ok(Box::new(FaultyStore { inner, fault: Arc::clone(&shared) }) as Box<dyn Store>)
            };
            let options = LedgerOptions::new(directory.path(), signer.clone());
            let ledger = Ledger::open_with(options, start(), clock(), random(), Box::new(connect)).unwrap();
            if is_closing {
                let release = ledger.open_release(intent(1)).await.unwrap();
                *now.lock().unwrap() = fault;
                let account = release.account(Outcome::Complete, None);
                release.close(account).await.unwrap_err();
            } else {
                *now.lock().unwrap() = fault;
                ledger.open_release(intent(1)).await.unwrap_err();
            }
            *now.lock().unwrap() = Fault::None;
            until_writable(&ledger).await;
            drop(ledger.open_release(intent(2)).await.unwrap());
            ledger.shut_down().await;
            let kinds = kinds(directory.path());
            let words: Vec<_> = kinds[2..].iter().map(|kind| kind.split_once('.').unwrap().1).collect();
            let (before, last) = words.split_at(words.len() - 2);
            assert_eq!((before, last), (expected, &["intent", "complete"][..]), "{fault:?} {is_closing}");
            let verdict =
                LedgerReader::open(directory.path()).unwrap().verify(Some(&signer.verifier()), None);
            assert!(matches!(verdict, Ok(verify::Verdict::Sound(_))), "{verdict:?}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_at_once_and_passes_by_itself() {
    let (directory, signer) = new_ledger();
    let database = directory.path().join(DATABASE_FILE);
    let pages = Arc::new(AtomicU32::new(u32::MAX >> 2));
    let limit = Arc::clone(&pages);
    let connect = move |_: &Replica<'_>| {
        let store = SqliteStore::open(&database)?;
        store.limit_pages(limit.load(Ordering::SeqCst))?;
        Ok(Box::new(store) as Box<dyn Store>)
    };
    let options = LedgerOptions::new(directory.path(), signer.clone());
    // The first connection is made with the small limit: it stands for a disk that fills up.
    pages.store(24, Ordering::SeqCst);
    let ledger = Ledger::open_with(options, start(), clock(), random(), Box::new(connect)).unwrap();
    let kept = ledger.open_release(intent(0)).await.unwrap();
    let lost = ledger.open_release(intent(1)).await.unwrap();
    let mut number = 2;
    let error = loop {
        match ledger.open_release(intent(number)).await {
            Ok(release) => std::mem::forget(release),
            Err(error) => break error,
        }
        number += 1;
        assert!(number < 1_000, "the limit was never reached");
    };
    assert_eq!(error.code(), "ledger_unavailable");
    assert!(!ledger.is_writable());
    assert!(matches!(ledger.open_release(intent(number)).await, Err(LedgerError::NotWritable)));
    let account = lost.account(Outcome::Complete, None);
    assert!(lost.close(account).await.is_err(), "an end that is not stored is not acknowledged");
    pages.store(u32::MAX >> 2, Ordering::SeqCst);
    until_writable(&ledger).await;
    let account = kept.account(Outcome::Complete, None);
    kept.close(account).await.unwrap();
    ledger.shut_down().await;
    let entries = all(directory.path());
    let resumed = entries.iter().position(|entry| entry.card.kind == "replica.resumed").unwrap();
    assert_eq!(entries[resumed + 1].card.outcome.as_deref(), Some("reconciled"), "the lost end");
    assert_eq!(entries[resumed + 2].card.outcome.as_deref(), Some("complete"), "the kept one");
    assert_eq!(entries.len(), resumed + 3);
}
