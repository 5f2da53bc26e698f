//! Two plain ways of keeping a record, with the same bytes on the same disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::site;

/// Entries a second with a transaction for each, into a table with one index.
pub fn transactions(folder: &Path, time: Duration) -> f64 {
    let directory = site::folder(folder);
    let database = Connection::open(directory.path().join("plain.sqlite")).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE entry (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, ts_ms INTEGER, release BLOB);
             CREATE INDEX entry_release ON entry (release);",
        )
        .expect("a table");
    let leaf = vec![b'x'; site::entry_bytes()];
    let mut insert =
        database.prepare("INSERT INTO entry (leaf, ts_ms, release) VALUES (?1, ?2, ?3)").expect("an insert");
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < time {
        insert.execute(params![leaf, 7, [7_u8; 16]]).expect("it is stored");
        count += 1;
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Entries a second into a file, by one thread that writes and syncs what all who wait have handed it.
pub fn file(folder: &Path, waiters: usize, time: Duration) -> f64 {
    let directory = site::folder(folder);
    let mut file = File::create(directory.path().join("plain")).expect("a file");
    let leaf = vec![b'x'; site::entry_bytes()];
    let (queue, queued) = sync_channel::<(Vec<u8>, SyncSender<()>)>(waiters);
    let writer = thread::spawn(move || {
        let mut bytes = Vec::new();
        while let Ok((leaf, told)) = queued.recv() {
            bytes.clear();
            bytes.extend_from_slice(&leaf);
            let mut waiting = vec![told];
            while let Ok((leaf, told)) = queued.try_recv() {
                bytes.extend_from_slice(&leaf);
                waiting.push(told);
            }
            file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the disk takes it");
            for told in waiting {
                let _ = told.send(());
            }
        }
    });
    let began = Instant::now();
    let threads: Vec<_> = (0..waiters)
        .map(|_| {
            let (queue, leaf) = (queue.clone(), leaf.clone());
            thread::spawn(move || {
                let (told, answer) = sync_channel(1);
                let mut count = 0_u64;
                while began.elapsed() < time {
                    queue.send((leaf.clone(), told.clone())).expect("the writer listens");
                    answer.recv().expect("the writer answers");
                    count += 1;
                }
                count
            })
        })
        .collect();
    drop(queue);
    let count: u64 = threads.into_iter().map(|thread| thread.join().expect("a waiter ends")).sum();
    let seconds = began.elapsed().as_secs_f64();
    writer.join().expect("the writer ends");
    count as f64 / seconds
}
