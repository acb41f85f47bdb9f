//! Readers and buyers at random on two shards against the simplest model: a stock that somebody reads was current at some
//! moment since his request began. It may never be one that was superseded before he asked.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use proptest::prelude::*;

use crate::shop::{Setup, Shop};
use crate::support::{Client, get, post};

const PRODUCT: i64 = 11;

/// What one client does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Buy,
    Product,
    List,
}

/// What all clients know together of the one product.
struct Stock {
    at_start: i64,
    /// Orders that may have happened: sent.
    begun: AtomicI64,
    /// Orders that have happened: answered.
    done: AtomicI64,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![1 => Just(Step::Buy), 2 => Just(Step::Product), 1 => Just(Step::List)];
    prop::collection::vec(prop::collection::vec(step, 1..24), 2..6)
}

fn play(shop: &Shop, stock: &Stock, user: usize, steps: &[Step]) {
    let token = shop.token(&format!("o-user{user}"));
    let mut client = shop.client();
    for step in steps {
        match step {
            Step::Buy => {
                stock.begun.fetch_add(1, Ordering::SeqCst);
                let order = format!(r#"{{"product_id":{PRODUCT},"quantity":1}}"#);
                client.ask(&post("/api/v1/orders", &order).token(&token)).data();
                stock.done.fetch_add(1, Ordering::SeqCst);
            }
            Step::Product => {
                read(stock, || client.get(&format!("/api/v1/products/{PRODUCT}"), &token).data()["stock"].as_i64());
            }
            Step::List => read(stock, || from_list(&mut client, &token)),
        }
    }
}

fn from_list(client: &mut Client, token: &str) -> Option<i64> {
    let list = client.ask(&get("/api/v1/products?page_size=20").token(token)).data();
    list["items"][PRODUCT as usize - 1]["stock"].as_i64()
}

fn read(stock: &Stock, read: impl FnOnce() -> Option<i64>) {
    let newest_at_first = stock.at_start - stock.done.load(Ordering::SeqCst);
    let seen = read().expect("a stock");
    let oldest_at_last = stock.at_start - stock.begun.load(Ordering::SeqCst);
    assert!(
        (oldest_at_last..=newest_at_first).contains(&seen),
        "read {seen}; was {newest_at_first} before the question and at least {oldest_at_last} after the answer"
    );
}

#[test]
fn nobody_reads_a_stock_of_the_past() {
    for shards in [2, 4] {
        let shop = Setup::generous(shards).open();
        let count = || shop.number(&format!("SELECT stock FROM products WHERE id = {PRODUCT}"));
        let config =
            ProptestConfig { cases: 40, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(clients in steps())| {
            let stock = Stock { at_start: count(), begun: AtomicI64::new(0), done: AtomicI64::new(0) };
            thread::scope(|scope| {
                for (user, steps) in clients.iter().enumerate() {
                    let (shop, stock) = (&shop, &stock);
                    scope.spawn(move || play(shop, stock, user, steps));
                }
            });
            prop_assert_eq!(count(), stock.at_start - stock.done.load(Ordering::SeqCst));
        });
    }
}
