// The words of Asio and Beast that this folder uses, and the one kind of coroutine and executor it runs on.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace kimi::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http; // this namespace is called http already

/// Everything of one connection runs on its strand, so nothing of it needs a lock.
using Strand = asio::strand<asio::io_context::executor_type>;
using Stream = beast::basic_stream<asio::ip::tcp, Strand>;
template <typename T> using Task = asio::awaitable<T, Strand>;

/// `auto [error, size] = co_await stream.async_read_some(buffer, await);`
inline constexpr auto await = asio::as_tuple(asio::use_awaitable_t<Strand>{});

} // namespace kimi::http
