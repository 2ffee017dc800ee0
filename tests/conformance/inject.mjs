// The suite has no option for request headers. This adds one header to every request it makes,
// whether by fetch or by node:http, before anything is sent.
import diagnostics from "node:diagnostics_channel";
import http from "node:http";

const [name, value] = process.env.INJECT_HEADER.split(/: (.*)/s);
diagnostics.subscribe("undici:request:create", ({ request }) => request.addHeader(name, value));
const plain = http.request;
http.request = (...options) => {
  const request = plain(...options);
  request.setHeader(name, value);
  return request;
};
