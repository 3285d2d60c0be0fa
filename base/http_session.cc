#include "base/http_session.h"

#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "base/status.h"

namespace carnet::http_internal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// What a refused client may still send before it reads the answer, and how long it may take.
constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;
constexpr absl::Duration kLingerTime = absl::Seconds(2);

std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return absl::ToChronoMilliseconds(std::clamp(duration, absl::Milliseconds(1), absl::Hours(24)));
}

HttpResponse PlainError(int status, absl::StatusCode code, absl::string_view words) {
  HttpResponse response = ErrorResponse(absl::Status(code, words));
  response.status = status;
  return response;
}

bool IsHeaderText(absl::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') {
      return false;
    }
  }
  return true;
}

// The peer's verified certificate in DER; empty without one.
std::string PeerCertificate(PlainStream& /*stream*/) {
  return {};
}
std::string PeerCertificate(TlsStream& stream) {
  X509* certificate = SSL_get0_peer_certificate(stream.native_handle());
  unsigned char* der = nullptr;
  const int size = certificate == nullptr ? 0 : i2d_X509(certificate, &der);
  if (size <= 0) {
    return {};
  }
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

// Reads requests one after the other. Everything but the constructor and the two closers runs on
// the stream's strand.
template <typename Stream>
class Connection final : public Session {
 public:
  template <typename... Args>
  explicit Connection(std::shared_ptr<Shared> shared, std::shared_ptr<asio::ssl::context> tls,
                      Args&&... args)
      : shared_(std::move(shared)),
        tls_(std::move(tls)),
        stream_(std::forward<Args>(args)...),
        handler_timer_(stream_.get_executor()) {}

  ~Connection() override { shared_->Remove(this); }

  void Start() override {
    asio::dispatch(stream_.get_executor(), [self = Self()] { self->Handshake(); });
  }

  void FinishAndClose() override {
    shared_->PostUnlessStopped(stream_.get_executor(), [self = Self()] {
      self->finishing_ = true;
      if (self->idle_) {
        self->Close();
      }
    });
  }

  void CloseNow() override {
    asio::post(stream_.get_executor(), [self = Self()] { self->Close(); });
  }

 private:
  // Answers once, from any thread; without an answer it sends 500 when it goes.
  class Answer {
   public:
    explicit Answer(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
    ~Answer() {
      if (connection_ != nullptr) {
        Send(PlainError(500, absl::StatusCode::kInternal, "http: the request got no answer"));
      }
    }
    Answer(Answer&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
    Answer& operator=(Answer&&) = delete;
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;

    void operator()(HttpResponse response) { Send(std::move(response)); }

   private:
    void Send(HttpResponse response) {
      const std::shared_ptr<Connection> connection = std::exchange(connection_, nullptr);
      CARNET_CHECK(connection != nullptr);
      connection->shared_->PostUnlessStopped(connection->stream_.get_executor(),
                                             [connection, answer = std::move(response)]() mutable {
                                               connection->OnAnswer(std::move(answer));
                                             });
    }
    std::shared_ptr<Connection> connection_;
  };

  std::shared_ptr<Connection> Self() {
    return std::static_pointer_cast<Connection>(shared_from_this());
  }
  PlainStream& Lowest() { return beast::get_lowest_layer(stream_); }

  void Close() {
    closed_ = true;
    handler_timer_.cancel();
    Lowest().close();
  }

  void Handshake() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      Lowest().expires_after(Milliseconds(shared_->options.handshake_timeout));
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = Self()](const error_code& error) {
                                if (!error) {
                                  self->ReadHeader();
                                }
                              });
    } else {
      ReadHeader();
    }
  }

  void ReadHeader() {
    if (closed_ || finishing_) {
      Close();
      return;
    }
    const HttpServerOptions& options = shared_->options;
    idle_ = true;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(options.header_bytes_max));
    parser_->body_limit(options.request_bytes_max);
    Lowest().expires_after(
        Milliseconds(requests_ == 0 ? options.request_timeout : options.idle_timeout));
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = Self()](const error_code& error, std::size_t) { self->OnHeader(error); });
  }

  void OnHeader(const error_code& error) {
    idle_ = false;
    ++requests_;
    if (error) {
      Refuse(error);
      return;
    }
    Lowest().expires_after(Milliseconds(shared_->options.request_timeout));
    if (!beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      ReadBody();
      return;
    }
    proceed_ = http::response<http::empty_body>(http::status::continue_, 11);
    http::async_write(stream_, proceed_, [self = Self()](const error_code& failed, std::size_t) {
      if (!failed) {
        self->ReadBody();
      }
    });
  }

  void ReadBody() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = Self()](const error_code& error, std::size_t) {
                       if (error) {
                         self->Refuse(error);
                       } else {
                         self->Handle();
                       }
                     });
  }

  // Answers what can be answered; the bytes of the request are no longer in step, so the connection
  // ends.
  void Refuse(const error_code& error) {
    keep_alive_ = false;
    head_ = false;
    if (error == http::error::body_limit) {
      Write(PlainError(413, absl::StatusCode::kResourceExhausted, "http: the body is too large"));
    } else if (error == http::error::header_limit) {
      Write(PlainError(431, absl::StatusCode::kResourceExhausted, "http: the header is too large"));
    } else if (error.category() == make_error_code(http::error::bad_version).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      Write(PlainError(400, absl::StatusCode::kInvalidArgument, "http: not a request"));
    } else {
      Close();
    }
  }

  void Handle() {
    auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    head_ = message.method() == http::verb::head;
    HttpRequest request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    if (target.empty() || target[0] != '/') {
      keep_alive_ = false;
      Write(PlainError(400, absl::StatusCode::kInvalidArgument, "http: not a path"));
      return;
    }
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    request.query = mark == std::string::npos ? "" : target.substr(mark + 1);
    for (const auto& field : message) {
      request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    request.body = std::move(message.body());
    request.peer_certificate_der = PeerCertificate(stream_);
    error_code ignored;
    const tcp::endpoint peer = Lowest().socket().remote_endpoint(ignored);
    request.peer_address = ignored ? "" : peer.address().to_string(ignored);

    Lowest().expires_never();
    waiting_ = true;
    handler_timer_.expires_after(Milliseconds(shared_->options.handler_timeout));
    handler_timer_.async_wait([self = Self()](const error_code& error) {
      if (!error && self->waiting_) {
        self->keep_alive_ = false;
        self->OnAnswer(PlainError(504, absl::StatusCode::kDeadlineExceeded,
                                  "http: the request took too long"));
      }
    });
    shared_->Serve(std::move(request), Answer(Self()));
  }

  void OnAnswer(HttpResponse answer) {
    // A second answer is one that came after the timeout.
    if (!std::exchange(waiting_, false) || closed_) {
      return;
    }
    handler_timer_.cancel();
    Write(std::move(answer));
  }

  void Write(HttpResponse answer) {
    keep_alive_ = keep_alive_ && !finishing_;
    response_ = http::response<http::string_body>();
    response_.version(11);
    response_.result(static_cast<unsigned int>(answer.status));
    if (!answer.content_type.empty() && IsHeaderText(answer.content_type)) {
      response_.set(http::field::content_type, answer.content_type);
    }
    for (const auto& header : answer.headers) {
      // A line break would start another header.
      if (!header.first.empty() && IsHeaderText(header.first) && IsHeaderText(header.second)) {
        response_.insert(header.first, header.second);
      }
    }
    response_.keep_alive(keep_alive_);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    if (head_) {
      // The length stays that of the answer to GET (RFC 9110 §9.3.2).
      response_.body().clear();
    }
    Lowest().expires_after(Milliseconds(shared_->options.write_timeout));
    http::async_write(stream_, response_, [self = Self()](const error_code& error, std::size_t) {
      if (error) {
        self->Close();
      } else if (self->keep_alive_ && !self->finishing_) {
        self->ReadHeader();
      } else {
        self->End();
      }
    });
  }

  void End() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      Lowest().expires_after(Milliseconds(kLingerTime));
      stream_.async_shutdown([self = Self()](const error_code& error) {
        // It fails where bytes of the request are still coming.
        if (error && !self->closed_) {
          self->EndTcp();
        } else {
          self->Close();
        }
      });
    } else {
      EndTcp();
    }
  }

  void EndTcp() {
    error_code ignored;
    Lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
    Linger();
  }

  // Closing with unread bytes would reset the connection, and the peer would lose our answer.
  void Linger() {
    Lowest().expires_after(Milliseconds(kLingerTime));
    scratch_.resize(4096);
    Lowest().async_read_some(asio::buffer(scratch_),
                             [self = Self()](const error_code& error, std::size_t count) {
                               self->lingered_bytes_ += count;
                               if (error || self->lingered_bytes_ > kLingerBytesMax) {
                                 self->Close();
                               } else {
                                 self->Linger();
                               }
                             });
  }

  const std::shared_ptr<Shared> shared_;
  // Kept while the stream uses it, also when the server has a newer one.
  const std::shared_ptr<asio::ssl::context> tls_;
  Stream stream_;
  asio::steady_timer handler_timer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  http::response<http::empty_body> proceed_;
  std::vector<char> scratch_;
  std::size_t lingered_bytes_ = 0;
  std::uint64_t requests_ = 0;
  bool idle_ = false;
  bool waiting_ = false;
  bool finishing_ = false;
  bool closed_ = false;
  bool keep_alive_ = false;
  bool head_ = false;
};

}  // namespace

bool Shared::Add(const std::shared_ptr<Session>& session) {
  const MutexLock lock(mutex);
  if (finishing || sessions.size() >= options.connections_max) {
    return false;
  }
  sessions[session.get()] = session;
  return true;
}

void Shared::Remove(Session* session) {
  const MutexLock lock(mutex);
  sessions.erase(session);
  session_ended.NotifyAll();
}

std::vector<std::shared_ptr<Session>> Shared::Live() {
  const MutexLock lock(mutex);
  std::vector<std::shared_ptr<Session>> live;
  for (const auto& entry : sessions) {
    if (std::shared_ptr<Session> session = entry.second.lock(); session != nullptr) {
      live.push_back(std::move(session));
    }
  }
  return live;
}

std::shared_ptr<Session> MakePlainSession(std::shared_ptr<Shared> shared, tcp::socket socket) {
  return std::make_shared<Connection<PlainStream>>(std::move(shared), nullptr, std::move(socket));
}

std::shared_ptr<Session> MakeTlsSession(std::shared_ptr<Shared> shared, tcp::socket socket,
                                        std::shared_ptr<asio::ssl::context> tls) {
  asio::ssl::context& context = *tls;
  return std::make_shared<Connection<TlsStream>>(std::move(shared), std::move(tls),
                                                 std::move(socket), context);
}

}  // namespace carnet::http_internal
