//! Processes on two machines that train together. The machines are network namespaces of this one,
//! each with an address of its own; making them takes root's rights, and the tests are left out
//! without.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::together::{FEW, assert_near, wait_until_it_trains};
use crate::tutor::{command, run, run_folder};

const PORT: &str = "29517";

/// Two namespaces with a cable between them, which are gone when this is.
struct Machines {
    names: [String; 2],
    /// Their addresses in the network between them.
    addresses: [String; 2],
}

/// By what two machines reach each other.
#[derive(Clone, Copy, PartialEq)]
enum Network {
    IPv4,
    /// Without an address of IPv4, but for that of each machine itself.
    IPv6,
}

impl Machines {
    /// Nothing where they cannot be made here, which is said on stderr.
    /// Tests, which run at the same time, have numbers.
    #[expect(clippy::print_stderr, reason = "a test that was left out must be seen")]
    fn new(test: u8, network: Network) -> Option<Self> {
        let names = ["a", "b"].map(|end| format!("tutor-{}-{test}-{end}", std::process::id()));
        let addresses = [1, 2].map(|at| match network {
            Network::IPv4 => format!("10.{test}.77.{at}"),
            Network::IPv6 => format!("fd77:{test}::{at}"),
        });
        let machines = Self { names, addresses };
        let [a, b] = &machines.names;
        let cable = format!("link add c0 netns {a} type veth peer name c0 netns {b}");
        let made = machines.names.iter().all(|name| ip(&format!("netns add {name}"))) && ip(&cable);
        let up = |(name, address): (&String, &String)| {
            // An address of IPv6 is else looked for in the network first, for a second or two.
            let mask = if network == Network::IPv6 { "/64 nodad" } else { "/24" };
            let address = format!("-n {name} addr add {address}{mask} dev c0");
            let links = ["c0", "lo"].map(|link| format!("-n {name} link set {link} up"));
            [vec![address], links.to_vec()].concat().iter().all(|arguments| ip(arguments))
        };
        if made && machines.names.iter().zip(&machines.addresses).all(up) {
            return Some(machines);
        }
        eprintln!("left out: network namespaces cannot be made here (`ip netns`, as root)");
        None
    }

    /// The program as one of so many processes, of which half are on each machine.
    fn process(&self, dir: &Path, (rank, size): (usize, usize), arguments: &[&str]) -> Process {
        let program = command(dir, arguments);
        let mut on = Command::new("ip");
        on.args(["netns", "exec", &self.names[rank * 2 / size]]);
        on.arg(program.get_program()).args(program.get_args()).current_dir(dir);
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => on.env(name, value),
                None => on.env_remove(name),
            };
        }
        on.env("RANK", rank.to_string()).env("WORLD_SIZE", size.to_string());
        on.env("MASTER_ADDR", &self.addresses[0]).env("MASTER_PORT", PORT);
        on.env("TUTOR_GROUP_TIMEOUT", "20");
        on.stdout(Stdio::piped()).stderr(Stdio::piped());
        Process(Some(on.spawn().expect("started")))
    }
}

impl Machines {
    /// Runs the program in so many processes, all of which must succeed; what rank 0 prints.
    fn together(&self, dir: &Path, size: usize, arguments: &[&str]) -> String {
        let ranks: Vec<Process> =
            (0..size).map(|rank| self.process(dir, (rank, size), arguments)).collect();
        let mut said = Vec::new();
        for child in ranks {
            let output = child.output();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(output.status.success(), "{}", text(&output.stderr));
            said.push(text(&output.stdout));
        }
        said.swap_remove(0)
    }
}

/// A process that does not outlive its test.
struct Process(Option<Child>);

impl Process {
    fn output(mut self) -> Output {
        self.0.take().expect("it runs").wait_with_output().expect("ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> bool {
    let ended = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

#[test]
fn two_machines_have_the_losses_of_one_process() {
    let Some(machines) = Machines::new(1, Network::IPv4) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let rows =
        |out| [&["run", "ssl-benchmark"], &FEW[..14], &["--rows", "uda", "--out", out]].concat();
    let alone = run_folder(dir.path(), &run(dir.path(), &rows("alone")));
    let said = machines.together(dir.path(), 4, &rows("together"));
    let together = run_folder(dir.path(), &said);
    assert_near(&together.join("seed-1/uda"), &alone.join("seed-1/uda"));
}

#[test]
fn machines_without_ipv4_train_together() {
    let Some(mut machines) = Machines::new(3, Network::IPv6) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let quick = "run ssl-benchmark --quick --rows supervised --threads 1 --device cpu";
    let quick: Vec<&str> = quick.split_whitespace().collect();
    // As it is written before a port.
    machines.addresses[0] = format!("[{}]", machines.addresses[0]);
    machines.together(dir.path(), 2, &quick);
}

/// A cable that is pulled: nobody says goodbye, and nothing comes back.
#[test]
fn machines_that_lose_each_other_stop() {
    let Some(machines) = Machines::new(2, Network::IPv4) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = "run ssl-benchmark --seeds 1 --threads 1 --rows supervised --device cpu --set \
                     train.steps=40000 --set cadence.checkpoint=20";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let ranks = [0, 1].map(|rank| machines.process(dir.path(), (rank, 2), &arguments));
    wait_until_it_trains(dir.path());
    assert!(ip(&format!("-n {} link set c0 down", machines.names[0])));
    let began = Instant::now();
    for (rank, child) in ranks.into_iter().enumerate() {
        let output = child.output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let line = said.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        assert!(line.contains(&format!("rank {rank} of 2: ")), "{said}");
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
