#include "coordinator/effects/effects.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/retained.h"
#include "coordinator/effects/combine_round.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "crypto/x25519.h"
#include "exchange/artifact.h"
#include "exchange/expected.h"
#include "exchange/retained_key.h"
#include "exchange/sealing.h"
#include "model/safetensors.h"

namespace carnet::coordinator {
namespace {

std::string NewKeyId(Rng& rng) {
  const Bytes random = RandomBytes(rng, kIdRandomBytes);
  return MakeId("k", std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes));
}

absl::StatusOr<crypto::HpkeSealed> WrapRoundKey(const crypto::KeyFiles& keys,
                                                const std::string& key_id, const Bytes& person,
                                                Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519PublicKey recipient,
                          crypto::ToX25519PublicKey(person));
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519KeyPair round_key, ReadRoundKey(keys, key_id));
  return exchange::WrapRetainedKey(round_key, key_id, recipient, rng);
}

// Whether the round that is to be combined is still there, closed and not combined yet.
bool StandsClosed(const Job& job, const AggregateRound& effect) {
  return job.round.has_value() && job.round->closed.has_value() &&
         job.round->opened.round() == effect.round && job.round->opened.attempt() == effect.attempt;
}

}  // namespace

struct FileEffects::ModelFacts {
  std::string trust_domain;
  std::string home_jurisdiction;
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
  Bytes model_sha256;
  Digest bundle_sha256{};
};

FileEffects::FileEffects(EffectsOptions options, Blobs& blobs, const crypto::KeyFiles& keys,
                         Rng& rng, BoundedExecutor& storage, BoundedExecutor& aggregation,
                         BoundedExecutor& bridge)
    : options_(options),
      blobs_(blobs),
      keys_(keys),
      rng_(rng),
      storage_(storage),
      aggregation_(aggregation),
      bridge_(bridge) {}

void FileEffects::Start(const Effect& effect, const State& state, bool durable, Done done) {
  if (const auto* prepare = std::get_if<PrepareRound>(&effect.body); prepare != nullptr) {
    StartPrepareRound(*prepare, state, std::move(done));
  } else if (const auto* evaluate = std::get_if<PrepareEvaluation>(&effect.body);
             evaluate != nullptr) {
    StartPrepareEvaluation(*evaluate, state, std::move(done));
  } else if (const auto* aggregate = std::get_if<AggregateRound>(&effect.body);
             aggregate != nullptr) {
    StartAggregate(effect.key, *aggregate, state, std::move(done));
  } else if (const auto* destroy = std::get_if<DestroyKeys>(&effect.body); destroy != nullptr) {
    destroy->key_ids.empty() ? StartSweep(effect.key, state, durable, std::move(done))
                             : StartDestroyKeys(*destroy, state, durable, std::move(done));
  } else if (const auto* erase = std::get_if<DestroyValue>(&effect.body); erase != nullptr) {
    StartDestroyValue(*erase, std::move(done));
  } else if (const auto* ask = std::get_if<AskBridge>(&effect.body); ask != nullptr) {
    StartAskBridge(*ask, std::move(done));
  } else {
    CARNET_CHECK(false);  // The engine runs commands itself.
  }
}

void FileEffects::Stop(const std::string& key) {
  const MutexLock lock(mutex_);
  if (const auto it = cancelled_.find(key); it != cancelled_.end()) {
    it->second->store(true);
  }
}

void FileEffects::RunOn(BoundedExecutor& executor, Done done,
                        absl::AnyInvocable<std::vector<CommandBody>()> work) {
  auto shared = std::make_shared<Done>(std::move(done));
  const absl::Status submitted =
      executor.TrySubmit([shared, work = std::move(work)]() mutable { (*shared)(work()); });
  if (!submitted.ok()) {
    (*shared)({});
  }
}

absl::StatusOr<v1::SealedArtifact> FileEffects::SealModel(const ModelFacts& facts) {
  const std::filesystem::path plain = blobs_.PathOf({BlobKind::kModel, facts.model_sha256});
  CARNET_ASSIGN_OR_RETURN(const model::SafetensorsReader reader,
                          model::SafetensorsReader::Open(plain));
  const Digest layout_sha256 = crypto::Sha256(AsBytes(reader.layout().CanonicalBytes()));
  v1::SealedArtifact artifact;
  artifact.set_key_id(NewKeyId(rng_));
  exchange::ModelHeaderFacts header_facts;
  header_facts.trust_domain = facts.trust_domain;
  header_facts.job_id = facts.job_id;
  header_facts.round = facts.round;
  header_facts.attempt = facts.attempt;
  header_facts.home_jurisdiction = facts.home_jurisdiction;
  header_facts.bundle_sha256 = facts.bundle_sha256;
  header_facts.model_sha256 = facts.model_sha256;
  header_facts.layout_sha256 = layout_sha256;
  header_facts.model_bytes = reader.file_layout().file_bytes;
  header_facts.key_id = artifact.key_id();
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header,
                          exchange::MakeHeader(exchange::ModelHeader(header_facts)));
  crypto::SecretBytes data_key(crypto::kDataKeyBytes);
  rng_.Fill(data_key.Mutable());
  CARNET_RETURN_IF_ERROR(keys_.Create(artifact.key_id(), crypto::KeyKind::kDataKey, data_key));
  crypto::SealedSalt salt;
  rng_.Fill(salt);
  const std::filesystem::path partial = blobs_.PartialPath(artifact.key_id());
  CARNET_ASSIGN_OR_RETURN(const exchange::SealedFile sealed,
                          exchange::SealFile(header, data_key, salt, plain, partial));
  const BlobId id{BlobKind::kSealed,
                  Bytes(sealed.sealed_sha256.begin(), sealed.sealed_sha256.end())};
  CARNET_RETURN_IF_ERROR(blobs_.AddHeader(id, header.bytes));
  CARNET_RETURN_IF_ERROR(blobs_.Add(partial, id));
  artifact.set_header_sha256(ToString(header.sha256));
  artifact.set_sealed_sha256(ToString(sealed.sealed_sha256));
  artifact.set_sealed_bytes(sealed.sealed_bytes);
  return artifact;
}

void FileEffects::StartPrepareRound(const PrepareRound& effect, const State& state, Done done) {
  const Job& job = state.jobs.at(effect.job_id);
  const ModelFacts facts{state.genesis.trust_domain(),
                         state.genesis.home_jurisdiction(),
                         job.id,
                         effect.round,
                         effect.attempt,
                         job.model_sha256,
                         state.bundle->sha256()};
  RunOn(storage_, std::move(done), [this, effect, facts]() -> std::vector<CommandBody> {
    const std::string key_id = NewKeyId(rng_);
    const crypto::X25519KeyPair pair = crypto::X25519KeyPair::Generate(rng_);
    absl::Status status = keys_.Create(key_id, crypto::KeyKind::kX25519, pair.private_key());
    absl::StatusOr<v1::SealedArtifact> model =
        status.ok() ? SealModel(facts) : absl::StatusOr<v1::SealedArtifact>(status);
    status.Update(model.status());
    if (!status.ok()) {
      keys_.Destroy(key_id).IgnoreError();  // else the sweep at the next start takes it
      Log(LogLevel::kError, "round.not_prepared", {{"job", effect.job_id}, {"why", status}});
      return {};
    }
    OpenRound open;
    open.job_id = effect.job_id;
    open.round = effect.round;
    open.attempt = effect.attempt;
    open.round_key_id = key_id;
    open.round_public_key.assign(pair.public_key().begin(), pair.public_key().end());
    open.model = *std::move(model);
    open.bundle_sha256.assign(facts.bundle_sha256.begin(), facts.bundle_sha256.end());
    return {std::move(open)};
  });
}

void FileEffects::StartPrepareEvaluation(const PrepareEvaluation& effect, const State& state,
                                         Done done) {
  const Job& job = state.jobs.at(effect.job_id);
  const ModelFacts facts{state.genesis.trust_domain(),
                         state.genesis.home_jurisdiction(),
                         job.id,
                         effect.round,
                         effect.attempt,
                         job.model_sha256,
                         state.bundle->sha256()};
  RunOn(storage_, std::move(done), [this, effect, facts]() -> std::vector<CommandBody> {
    absl::StatusOr<v1::SealedArtifact> model = SealModel(facts);
    if (!model.ok()) {
      Log(LogLevel::kError, "evaluation.not_prepared",
          {{"job", effect.job_id}, {"why", model.status()}});
      return {};
    }
    OpenEvaluation open;
    open.job_id = effect.job_id;
    open.round = effect.round;
    open.attempt = effect.attempt;
    open.model = *std::move(model);
    open.bundle_sha256.assign(facts.bundle_sha256.begin(), facts.bundle_sha256.end());
    return {std::move(open)};
  });
}

void FileEffects::StartAggregate(const std::string& key, const AggregateRound& effect,
                                 const State& state, Done done) {
  const Job& job = state.jobs.at(effect.job_id);
  if (!StandsClosed(job, effect)) {
    done({});  // e.g. the job was stopped meanwhile
    return;
  }
  const auto retention = RetentionDue(state, *job.round);
  if (retention.ok() && retention->has_value()) {
    StartRetain(effect, (*retention)->person, state, std::move(done));
    return;
  }
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  {
    const MutexLock lock(mutex_);
    cancelled_[key] = cancelled;
  }
  RoundInputs inputs = InputsOf(state, job);
  RunOn(
      aggregation_, std::move(done),
      [this, key, cancelled, inputs = std::move(inputs)]() -> std::vector<CommandBody> {
        absl::StatusOr<CommandBody> next =
            CombineRound(inputs, options_.aggregation_threads, cancelled.get(), blobs_, keys_);
        {
          const MutexLock lock(mutex_);
          cancelled_.erase(key);
        }
        if (!next.ok()) {
          Log(LogLevel::kError, "round.not_combined",
              {{"job", inputs.job_id}, {"why", next.status()}});
          if (absl::IsFailedPrecondition(next.status()) || absl::IsInvalidArgument(next.status())) {
            // The same contributions would fail again: the round is tried anew.
            return {AbandonRound{inputs.job_id, reasons::kNotCombinable}};
          }
          return {};
        }
        return {*std::move(next)};
      });
}

void FileEffects::StartRetain(const AggregateRound& effect, const std::string& person,
                              const State& state, Done done) {
  RetainKey retain;
  retain.job_id = effect.job_id;
  retain.key_id = state.jobs.at(effect.job_id).round->opened.round_key_id();
  retain.kept_for = person;
  const Bytes public_key = state.users.at(person).wrapping_public_key;
  RunOn(storage_, std::move(done),
        [this, retain = std::move(retain), public_key]() mutable -> std::vector<CommandBody> {
          const absl::StatusOr<crypto::HpkeSealed> wrapped =
              WrapRoundKey(keys_, retain.key_id, public_key, rng_);
          if (!wrapped.ok()) {
            Log(LogLevel::kError, "key.not_retained",
                {{"job", retain.job_id}, {"key", retain.key_id}, {"why", wrapped.status()}});
            return {};
          }
          retain.encapsulated.assign(wrapped->encapsulated.begin(), wrapped->encapsulated.end());
          retain.wrapped_key = wrapped->ciphertext;
          return {std::move(retain)};
        });
}

void FileEffects::StartSweep(const std::string& key, const State& state, bool durable, Done done) {
  // It stays wanted, because no record says that files went; once is enough.
  const bool swept = [&] {
    const MutexLock lock(mutex_);
    return swept_ == key;
  }();
  if (swept || !durable) {
    done({});
    return;
  }
  absl::Time until = absl::InfinitePast();
  std::int64_t seconds = 0;
  if (absl::SimpleAtoi(absl::StripPrefix(key, "sweep/"), &seconds)) {
    until = absl::FromUnixSeconds(seconds + 1);
  }
  RunOn(storage_, std::move(done),
        [this, key,
         kept = KeptBlobsAt(state, std::max(state.last, until))]() -> std::vector<CommandBody> {
          if (const absl::Status status = blobs_.Sweep(kept); !status.ok()) {
            // It is still wanted: the next tick sweeps again.
            Log(LogLevel::kWarning, "blobs.not_swept", {{"why", status}});
            return {};
          }
          const MutexLock lock(mutex_);
          swept_ = key;
          return {};
        });
}

void FileEffects::StartDestroyKeys(const DestroyKeys& effect, const State& state, bool durable,
                                   Done done) {
  // A record that is lost with the power may be the one that needs a file no more.
  std::optional<std::set<BlobId>> kept;
  if (durable) {
    kept = KeptBlobs(state);
  }
  RunOn(storage_, std::move(done),
        [this, ids = effect.key_ids, kept = std::move(kept)]() -> std::vector<CommandBody> {
          for (const std::string& id : ids) {
            if (const absl::Status status = keys_.Destroy(id); !status.ok()) {
              Log(LogLevel::kError, "key.not_destroyed", {{"key", id}, {"why", status}});
              return {};
            }
          }
          // What the destroyed keys opened, and models beyond their retention, have served. Else
          // they go with the next keys, or at the next start.
          if (kept.has_value()) {
            if (const absl::Status status = blobs_.Sweep(*kept); !status.ok()) {
              Log(LogLevel::kWarning, "blobs.not_swept", {{"why", status}});
            }
          }
          return {KeysDestroyed{ids}};
        });
}

void FileEffects::StartDestroyValue(const DestroyValue& effect, Done done) {
  RunOn(storage_, std::move(done), [this, effect]() -> std::vector<CommandBody> {
    if (const absl::Status status = OverwriteAndRemove(options_.vault / effect.vault_id);
        !status.ok()) {
      Log(LogLevel::kError, "vault.not_erased", {{"value", effect.vault_id}, {"why", status}});
      return {};
    }
    return {ValueErased{effect.vault_id}};
  });
}

void FileEffects::StartAskBridge(const AskBridge& effect, Done done) {
  CARNET_CHECK(options_.ask_bridge != nullptr);
  RunOn(bridge_, std::move(done), [this, input = effect.input]() -> std::vector<CommandBody> {
    return {options_.ask_bridge(input)};
  });
}

void FileEffects::Discard(const CommandBody& command) {
  std::vector<std::string> key_ids;
  const v1::SealedArtifact* model = nullptr;
  if (const auto* round = std::get_if<OpenRound>(&command); round != nullptr) {
    key_ids = {round->round_key_id, round->model.key_id()};
    model = &round->model;
  } else if (const auto* evaluation = std::get_if<OpenEvaluation>(&command);
             evaluation != nullptr) {
    key_ids = {evaluation->model.key_id()};
    model = &evaluation->model;
  }
  if (model == nullptr) {
    return;
  }
  const BlobId id{BlobKind::kSealed, ToBytes(model->sealed_sha256())};
  // Left behind when the executor is full or a file will not go: the sweep at the next start takes
  // them.
  storage_
      .TrySubmit([this, key_ids, id] {
        for (const std::string& key_id : key_ids) {
          keys_.Destroy(key_id).IgnoreError();
        }
        blobs_.Remove(id).IgnoreError();
      })
      .IgnoreError();
}

}  // namespace carnet::coordinator
