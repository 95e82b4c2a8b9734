// One client's connection: requests one after another until either side has enough.
#pragma once

#include "server/http/Router.h"

namespace kimi::http {

class Connection {
public:
  Connection(asio::ip::tcp::socket socket, Strand strand, const Router &router, const Service &service);

  /// The whole life of the connection; run it on the strand.
  Task<void> run();

  /// On the strand: if no request is being served, there will be no other. (Else the one being served is the
  /// last.)
  void drain();
  Strand strand() { return stream.get_executor(); }

private:
  /// The next request, or nothing: the client left, was silent too long, or has been told what was wrong.
  Task<std::optional<Request>> readRequest();
  Task<void> refuse(api::ApiError error);
  Task<void> linger();

  Stream stream;
  beast::flat_buffer buffer;
  const Router &router;
  const Service &service;
  bool isServing = false;
  bool hasUnreadInput = false; // a request was refused before its end
};

} // namespace kimi::http
