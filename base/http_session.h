// One connection of base/http_server.h and what all connections share; included by its .cc files
// only.
#ifndef CARNET_BASE_HTTP_SESSION_H_
#define CARNET_BASE_HTTP_SESSION_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/http_server.h"
#include "base/mutex.h"

namespace carnet::http_internal {

// A connection, alive while an operation or an unanswered handler holds it.
class Session : public std::enable_shared_from_this<Session> {
 public:
  virtual ~Session() = default;
  virtual void Start() = 0;
  // Ends at once if it waits for a request, else after the answer to the one under way. Any thread.
  virtual void FinishAndClose() = 0;
  // Ends at once; an answer that comes later is dropped. Any thread.
  virtual void CloseNow() = 0;
};

struct RouteEntry {
  std::string method;
  std::string prefix;
  HttpServer::AsyncHandler handler;
};

// What the server and its sessions share. Sessions keep it alive, so that an answer which comes
// after the server has gone still finds its event loop (and is dropped).
class Shared {
 public:
  Shared(HttpServerOptions server_options, std::vector<RouteEntry> route_entries)
      : options(std::move(server_options)),
        routes(std::move(route_entries)),
        work(boost::asio::make_work_guard(context)) {}

  // Hands `request` to its route, or answers 404 or 405.
  void Serve(HttpRequest request, HttpServer::Done done) const;

  // Counts a session in; false when the limit is reached or the server is stopping.
  bool Add(const std::shared_ptr<Session>& session) CARNET_EXCLUDES(mutex);
  void Remove(Session* session) CARNET_EXCLUDES(mutex);

  // The sessions that live now. Let go of them without holding `mutex`, which the last one's end
  // takes.
  std::vector<std::shared_ptr<Session>> Live() CARNET_EXCLUDES(mutex);

  // Runs `work_item` on `executor` unless the event loop has been told to end. Without this check a
  // late answer would sit in a queue that nobody runs.
  template <typename Executor, typename Work>
  void PostUnlessStopped(const Executor& executor, Work work_item) CARNET_EXCLUDES(mutex);

  const HttpServerOptions options;
  const std::vector<RouteEntry> routes;
  boost::asio::io_context context;

  Mutex mutex;
  CondVar session_ended;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work
      CARNET_GUARDED_BY(mutex);
  // Null for plain HTTP.
  std::shared_ptr<boost::asio::ssl::context> tls CARNET_GUARDED_BY(mutex);
  std::map<Session*, std::weak_ptr<Session>> sessions CARNET_GUARDED_BY(mutex);
  bool finishing CARNET_GUARDED_BY(mutex) = false;
  bool stopped CARNET_GUARDED_BY(mutex) = false;
};

template <typename Executor, typename Work>
void Shared::PostUnlessStopped(const Executor& executor, Work work_item) {
  const MutexLock lock(mutex);
  if (!stopped) {
    boost::asio::post(executor, std::move(work_item));
  }
}

std::shared_ptr<Session> MakePlainSession(std::shared_ptr<Shared> shared,
                                          boost::asio::ip::tcp::socket socket);
std::shared_ptr<Session> MakeTlsSession(std::shared_ptr<Shared> shared,
                                        boost::asio::ip::tcp::socket socket,
                                        std::shared_ptr<boost::asio::ssl::context> tls);

}  // namespace carnet::http_internal

#endif  // CARNET_BASE_HTTP_SESSION_H_
