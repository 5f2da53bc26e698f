//! Appends to the real ledger, each by somebody who waits until it is durable.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::site;

/// Appends a second of so many who wait at once.
pub fn by(runtime: &Runtime, folder: &Path, waiters: usize, time: Duration) -> f64 {
    let directory = site::folder(folder);
    runtime.block_on(async {
        let ledger = site::open(directory.path());
        let ack = site::release(&ledger, 1).await;
        let began = Instant::now();
        let tasks: Vec<_> = (0..waiters)
            .map(|_| {
                let (ledger, ack) = (ledger.clone(), ack.clone());
                tokio::spawn(async move {
                    let mut count = 0_u64;
                    while began.elapsed() < time {
                        ledger.acknowledge(ack.clone()).await.expect("it is stored");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let mut count = 0;
        for task in tasks {
            count += task.await.expect("a waiter ends");
        }
        let seconds = began.elapsed().as_secs_f64();
        ledger.shut_down().await;
        count as f64 / seconds
    })
}

/// Median seconds of an append when nobody else appends.
pub fn alone(runtime: &Runtime, folder: &Path, time: Duration) -> f64 {
    let directory = site::folder(folder);
    runtime.block_on(async {
        let ledger = site::open(directory.path());
        let ack = site::release(&ledger, 1).await;
        let began = Instant::now();
        let mut times = Vec::new();
        while began.elapsed() < time {
            let started = Instant::now();
            ledger.acknowledge(ack.clone()).await.expect("it is stored");
            times.push(started.elapsed().as_secs_f64());
        }
        ledger.shut_down().await;
        super::median(&mut times)
    })
}
