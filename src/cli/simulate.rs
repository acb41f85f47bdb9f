//! `simulate-wechat`: the simulator as a process of its own.
//! Never here: what it answers.

use std::process::ExitCode;
use std::sync::Arc;

use crate::core::config::checked::{App, Secret};
use crate::core::ids::AppId;
use crate::demo::simulator::{SimulatorOptions, start};
use crate::net::clock::{Clock, ClockZero};

use super::args::{SimulateArgs, SimulatorArgs};
use super::fail;
use super::signals::{Caught, Hangup};

/// The mini-program that the demo's configuration and the simulator agree on.
pub const DEMO_APPID: &str = "wx4f4bc4dec97d474b";
const DEMO_SECRET: &str = "demo-secret-known-to-the-simulator";

pub fn simulate(args: &SimulateArgs) -> ExitCode {
    let mut signals = match Caught::catch(Hangup::Ends) {
        Ok(signals) => signals,
        Err(error) => return fail(1, &format!("cannot catch signals: {error}")),
    };
    match start(options(&args.simulator, args.port)) {
        Ok(simulator) => {
            println!("listening on {}", simulator.addr());
            signals.wait(|| {});
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &format!("127.0.0.1:{}: {error}; choose another --port", args.port)),
    }
}

pub fn options(args: &SimulatorArgs, port: u16) -> SimulatorOptions {
    let zero = ClockZero::now();
    SimulatorOptions {
        port,
        latency: args.wechat_latency,
        jitter: args.wechat_jitter,
        failures_per_mille: args.wechat_failures,
        quota_per_minute: args.wechat_quota,
        apps: vec![App { id: AppId::new(DEMO_APPID), secret: Secret::new(DEMO_SECRET) }],
        clock: Arc::new(move || Clock::new(zero).now().tick),
    }
}
