#include "worker/trainer.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "tests/unit/worker/test_support.h"

namespace carnet::worker {
namespace {

// A trainer in Python that speaks the protocol, and does `behaviour` when it is asked to fit.
std::string Script(const std::string& behaviour) {
  return "import json, os, socket, sys, time\n"
         "def say(message):\n"
         "    sys.stdout.write(json.dumps(message) + '\\n')\n"
         "    sys.stdout.flush()\n"
         "def done(**more):\n"
         "    say({'done': {'examples': 3, 'steps': 5, 'metrics': {'loss': 0.5}, **more}})\n"
         "for line in sys.stdin:\n"
         "    order = json.loads(line)\n"
         "    if order['op'] == 'start':\n"
         "        settings = order['settings']\n"
         "        say({'ok': True, 'trainer': 'test', 'version': '1'})\n"
         "    elif order['op'] == 'stop':\n"
         "        sys.exit(0)\n"
         "    else:\n" +
         behaviour;
}

// What a script runs in, and its launch.
struct Sandbox {
  explicit Sandbox(const std::string& behaviour, Isolation isolation = Isolation::kNone) {
    ::signal(SIGPIPE, SIG_IGN);
    work = directory.path() / "work";
    data = directory.path() / "data";
    keys = directory.path() / "keys";
    REQUIRE(MakeDirs(work).ok());
    REQUIRE(MakeDirs(data).ok());
    REQUIRE(MakeDirs(keys).ok());
    REQUIRE(WriteFileAtomic(data / "shard.csv", AsBytes("1,2\n")).ok());
    REQUIRE(WriteFileAtomic(keys / "tls.key", AsBytes("secret")).ok());
    const auto script = directory.path() / "train.py";
    REQUIRE(WriteFileAtomic(script, AsBytes(Script(behaviour))).ok());
    launch.program.command = {"/usr/bin/python3", script.string()};
    launch.program.working_directory = work;
    launch.program.isolation = isolation;
    launch.program.read_only = {data};
    launch.program.hidden = {keys};
    launch.log = directory.path() / "trainer.log";
    launch.job_id = "j-aaaaaaaaaaaaaaaa";
    launch.layout = "layout.json";
    launch.settings = {{"rate", "0.5"}, {"batch", "32"}, {"name", "adam"}};
  }

  absl::StatusOr<TrainerResult> Fit(absl::Duration limit = absl::Seconds(30)) {
    auto started = TrainerProcess::Start(launch, clock, cancel, &failure);
    if (!started.ok()) {
      return started.status();
    }
    FitOrder order;
    order.round = 1;
    order.parameters = "in.safetensors";
    order.delta = "out.safetensors";
    order.data = {data.string()};
    order.steps = 5;
    order.seed = 9;
    auto result = (*started)->Fit(order, clock.MonotonicNow() + limit, cancel,
                                  [this](const TrainerProgress& p) { progress.push_back(p.step); });
    failure = (*started)->failure();
    (*started)->Stop();
    stopped_code = (*started)->failure().exit_code;
    return result;
  }

  TestDirectory directory;
  std::filesystem::path work, data, keys;
  TrainerLaunch launch;
  SystemClock clock;
  CancelFlag cancel{false};
  TrainerFailure failure;
  std::int32_t stopped_code = -1;
  std::vector<std::uint64_t> progress;
};

TEST_CASE(
    "Trainer: a fit gives examples, steps and metrics, reports progress, and ends when told") {
  Sandbox sandbox(
      "        assert settings == {'rate': 0.5, 'batch': 32, 'name': 'adam'}\n"
      "        assert order['seed'] == 9 and order['steps'] == 5 and order['op'] == 'fit'\n"
      "        say({'progress': {'step': 2, 'of': 5, 'loss': 0.7}})\n"
      "        done()\n");
  const auto result = sandbox.Fit();
  REQUIRE(result.ok());
  CHECK(result->examples == 3);
  CHECK(result->steps == 5);
  CHECK(result->metrics == std::map<std::string, double>{{"loss", 0.5}});
  CHECK(sandbox.progress == std::vector<std::uint64_t>{2});
  CHECK(sandbox.stopped_code == 0);
}

TEST_CASE("Trainer: whatever it does wrong fails its task with one word and an exit code") {
  struct Case {
    const char* behaviour;
    v1::TaskFailure failure;
    std::int32_t exit_code;
  };
  const Case cases[] = {
      {"        sys.exit(7)\n", v1::TASK_FAILURE_TRAINER_CRASHED, 7},
      {"        os.abort()\n", v1::TASK_FAILURE_TRAINER_CRASHED, 128 + SIGABRT},
      {"        raise ValueError('no')\n", v1::TASK_FAILURE_TRAINER_CRASHED, 1},
      {"        say('not an object')\n", v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        say({'done': {}})\n", v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        say({'error': {'code': 'data', 'message': 'x'}})\n",
       v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        done(metrics={'loss': float('nan')})\n", v1::TASK_FAILURE_TRAINER_OUTPUT,
       128 + SIGKILL},
      {"        done(examples=-1)\n", v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        done(steps='5')\n", v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        print('x' * 200000)\n", v1::TASK_FAILURE_TRAINER_OUTPUT, 128 + SIGKILL},
      {"        print('noise')\n        sys.stdout.flush()\n", v1::TASK_FAILURE_TRAINER_OUTPUT,
       128 + SIGKILL},
  };
  for (const Case& c : cases) {
    CAPTURE(c.behaviour);
    Sandbox sandbox(c.behaviour);
    CHECK_FALSE(sandbox.Fit().ok());
    CHECK(sandbox.failure.failure == c.failure);
    // One that was killed may have ended by itself just before.
    CHECK((sandbox.failure.exit_code == c.exit_code || sandbox.failure.exit_code <= 1));
  }
}

TEST_CASE("Trainer: one that hangs is killed at its deadline") {
  Sandbox sandbox("        time.sleep(600)\n");
  const auto result = sandbox.Fit(absl::Milliseconds(300));
  CHECK(result.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(sandbox.failure.failure == v1::TASK_FAILURE_TRAINER_TIMEOUT);
  CHECK(sandbox.failure.exit_code == 128 + SIGKILL);
}

TEST_CASE("Trainer: a cancelled one is killed, with what it started") {
  Sandbox sandbox(
      "        os.system('sleep 600 &')\n"
      "        time.sleep(600)\n");
  std::thread canceller([&sandbox] { sandbox.cancel.store(true); });
  const auto result = sandbox.Fit();
  canceller.join();
  CHECK(result.status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("Trainer: its standard error stays in the log and is moved aside when that is full") {
  Sandbox sandbox("        sys.stderr.write('words for the site')\n        done()\n");
  {
    std::ofstream full(sandbox.launch.log);
    full << std::string(kTrainerLogBytesMax, 'x');
  }
  REQUIRE(sandbox.Fit().ok());
  CHECK(ToString(ReadFile(sandbox.launch.log, 1000).value()) == "words for the site");
  CHECK(std::filesystem::file_size(sandbox.launch.log.string() + ".1") == kTrainerLogBytesMax);
}

TEST_CASE("Trainer: it gets the listed environment and nothing else") {
  Sandbox sandbox(
      "        assert dict(os.environ).keys() <= {'ONE', 'LC_CTYPE'}, os.environ\n"
      "        assert os.environ['ONE'] == '1'\n"
      "        done()\n");
  sandbox.launch.program.environment = {"ONE=1"};
  CHECK(sandbox.Fit().ok());
}

TEST_CASE("Trainer: it has no descriptors of the worker but its three") {
  Sandbox sandbox(
      "        names = set(os.listdir('/proc/self/fd'))\n"
      "        assert len(names) <= 4, names\n"
      "        done()\n");
  CHECK(sandbox.Fit().ok());
}

TEST_CASE("Trainer: file sizes and memory are bounded") {
  Sandbox sandbox(
      "        try:\n"
      "            open('big', 'wb').write(bytes(2 << 20))\n"
      "        except OSError:\n"
      "            done()\n");
  sandbox.launch.program.file_bytes_max = 1 << 20;
  CHECK(sandbox.Fit().ok());
  Sandbox hungry(
      "        try:\n"
      "            x = bytearray(1 << 30)\n"
      "        except MemoryError:\n"
      "            done()\n");
  hungry.launch.program.memory_bytes_max = std::uint64_t{256} << 20;
  CHECK(hungry.Fit().ok());
}

TEST_CASE("Trainer: a program that is not there does not start") {
  Sandbox sandbox("        done()\n");
  sandbox.launch.program.command = {"/nowhere/trainer"};
  CHECK(sandbox.Fit().status().code() == absl::StatusCode::kNotFound);
  CHECK(sandbox.failure.failure == v1::TASK_FAILURE_TRAINER_CRASHED);
}

// ---- isolation: skipped, with a word, where the machine gives none ----

TEST_CASE("Isolation: a set-apart trainer reaches no network, sees no keys and writes no data") {
  const Isolation isolation = ProbeIsolation();
  if (isolation == Isolation::kNone) {
    WARN("this machine gives no namespaces: a worker here states trainer_isolated: no");
    CHECK(isolation == Isolation::kNone);
    return;
  }
  // Every socket but loopback is unreachable; loopback itself works.
  Sandbox sandbox(
      "        server = socket.socket()\n"
      "        server.bind(('127.0.0.1', 0))\n"
      "        server.listen()\n"
      "        socket.create_connection(server.getsockname(), 5).close()\n"
      "        for place in (('192.0.2.1', 80), ('10.0.0.1', 53)):\n"
      "            try:\n"
      "                socket.create_connection(place, 2)\n"
      "                sys.exit(3)\n"
      "            except OSError as error:\n"
      "                assert error.errno == 101, error\n"
      "        assert os.listdir(KEYS) == []\n"
      "        try:\n"
      "            open(os.path.join(order['data'][0], 'x'), 'w')\n"
      "            sys.exit(4)\n"
      "        except OSError as error:\n"
      "            assert error.errno == 30, error\n"
      "        assert open(os.path.join(order['data'][0], 'shard.csv')).read() == '1,2\\n'\n"
      "        open('out.safetensors', 'w').write('mine')\n"
      "        done()\n",
      isolation);
  const auto script = sandbox.directory.path() / "train.py";
  const Bytes text = ReadFile(script, 1 << 20).value();
  REQUIRE(
      WriteFileAtomic(script, AsBytes("KEYS = '" + sandbox.keys.string() + "'\n" + ToString(text)))
          .ok());
  const auto result = sandbox.Fit();
  if (!result.ok()) {
    CAPTURE(ToString(ReadFile(sandbox.launch.log, 1 << 20).value_or(Bytes())));
    CHECK(result.ok());
  }
  CHECK(std::filesystem::exists(sandbox.work / "out.safetensors"));
  CHECK_FALSE(std::filesystem::exists(sandbox.data / "x"));
}

TEST_CASE("Isolation: a set-apart trainer has no capabilities and cannot gain any") {
  const Isolation isolation = ProbeIsolation();
  if (isolation == Isolation::kNone) {
    CHECK(isolation == Isolation::kNone);
    return;
  }
  Sandbox sandbox(
      "        status = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\n"
      "        for name in ('CapPrm', 'CapEff', 'CapBnd'):\n"
      "            assert int(status[name], 16) == 0, (name, status[name])\n"
      "        assert status['NoNewPrivs'].strip() == '1'\n"
      "        done()\n",
      isolation);
  CHECK(sandbox.Fit().ok());
}

TEST_CASE("Isolation: everything that a killed trainer started dies with it") {
  const Isolation isolation = ProbeIsolation();
  if (isolation == Isolation::kNone) {
    CHECK(isolation == Isolation::kNone);
    return;
  }
  // A child in a session of its own escapes the process group, not the namespace: its pipe end
  // closes.
  Sandbox sandbox(
      "        import subprocess\n"
      "        read, write = os.pipe()\n"
      "        subprocess.Popen(['/bin/sleep', '600'], start_new_session=True)\n"
      "        open('started', 'w').write('1')\n"
      "        time.sleep(600)\n",
      isolation);
  const auto result = sandbox.Fit(absl::Seconds(3));
  CHECK(result.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(std::filesystem::exists(sandbox.work / "started"));
  // The kernel reaps the namespace's init only after everything in it has gone, and Fit reaped
  // that.
  CHECK(sandbox.failure.exit_code == 128 + SIGKILL);
}

// ---- settings and metrics ----

TEST_CASE("Trainer: settings that are decimal numbers go as numbers") {
  const nlohmann::json json = SettingsJson({{"a", "32"},
                                            {"b", "0.05"},
                                            {"c", "-3"},
                                            {"d", "1e-3"},
                                            {"e", "x"},
                                            {"f", ""},
                                            {"g", "nan"}});
  CHECK(json["a"] == 32);
  CHECK(json["a"].is_number_integer());
  CHECK(json["b"] == 0.05);
  CHECK(json["c"] == -3);
  CHECK(json["d"].is_number_float());
  CHECK(json["e"] == "x");
  CHECK(json["f"] == "");
  CHECK(json["g"] == "nan");
}

TEST_CASE("Trainer: only metrics that the job names go home") {
  v1::JobSpec spec;
  spec.add_metrics("loss");
  spec.add_metrics("accuracy");
  CHECK(NamedMetrics({{"loss", 1}, {"secret", 2}}, spec) ==
        std::map<std::string, double>{{"loss", 1}});
}

}  // namespace
}  // namespace carnet::worker
