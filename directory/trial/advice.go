package trial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// unreachable says why no answer came, and what to do.
func unreachable(err error) (got string, _ map[string]string) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var wait net.Error
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return "the name does not resolve", hint("There is no DNS entry for the host of public_url, or this machine cannot see it.", "public_url 的主机名没有 DNS 记录，或本机无法解析。")
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", hint("Nothing listens at the host and port of public_url: is the proxy running, is the port open?", "public_url 的主机与端口没有服务在监听：代理是否在运行？端口是否开放？")
	case errors.As(err, &host):
		return "the certificate is for another name", hint("The certificate does not name the host of public_url.", "证书中不包含 public_url 的主机名。")
	case errors.As(err, &authority):
		return "the certificate is of an unknown authority", hint("This machine does not know who signed the certificate. Cloud identity providers accept public authorities only; also send the intermediate certificates.",
			"本机不信任该证书的签发者。云端身份提供商只接受公共 CA；同时请发送中间证书。")
	case errors.As(err, &invalid):
		return "the certificate is not valid", hint("The certificate has expired, is not valid yet or is not one for servers.", "证书已过期、尚未生效，或不是服务器证书。")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the answer is not TLS", hint("public_url says https, but what answers there speaks plain http.", "public_url 为 https，但该端口返回的是明文 http。")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wait) && wait.Timeout():
		return "no answer within 10 seconds", hint("A firewall may drop the packets, or this machine may not reach its own public address (hairpin NAT): then try from outside.",
			"可能被防火墙丢弃，或本机无法访问自己的公网地址（NAT 回环）：请从外部测试。")
	}
	return "the connection failed", hint("Look at the proxy's log: the connection was begun and ended without an answer.", "请查看代理日志：连接已建立，但没有收到响应。")
}

// advice says what an answer that was not expected usually comes from.
func advice(a answer, p probe) map[string]string {
	switch {
	case a.status >= 300 && a.status < 400:
		return hint("The address redirects, and SCIM clients do not follow. Set public_url to where it leads, or exclude /scim/ from the redirect and from single sign-on.",
			"该地址发生重定向，而 SCIM 客户端不会跟随。请将 public_url 设为目标地址，或让 /scim/ 不经过重定向与单点登录。")
	case p.anonymous && a.status == 200:
		return hint("A request without a token was answered as if it had one: something in front adds an Authorization header. Take that out at once.",
			"没有令牌的请求得到了正常响应：前端代理自动添加了 Authorization。请立即移除。")
	case a.status == 401 && a.scim && strings.Contains(a.body.Detail, "no bearer token"):
		return hint("The token did not arrive: a proxy takes the Authorization header away. Let it pass for /scim/.", "令牌没有到达：代理移除了 Authorization 头。请对 /scim/ 放行该请求头。")
	case a.status == 401 && a.scim:
		return hint("Another installation answers at public_url: it does not know the token that was made here a moment ago.", "public_url 指向了另一套部署：它不认识刚刚在此生成的令牌。")
	case a.status == 401:
		return hint("A proxy in front asks for its own sign-in. Exclude /scim/ from it: the source token is the proof.", "前端代理要求另外登录。请将 /scim/ 排除：来源令牌即为凭证。")
	case a.status == 429:
		return hint("The source, or the proxy, is at its limit of requests. Try again in a minute.", "来源或代理已达到请求上限。请一分钟后重试。")
	case a.status == 403 || a.status == 405 || a.status == 501:
		return hint("A proxy or firewall refuses "+p.method+". SCIM needs GET, POST, PUT, PATCH and DELETE on /scim/.", "代理或防火墙拒绝 "+p.method+"。SCIM 需要在 /scim/ 上允许 GET、POST、PUT、PATCH、DELETE。")
	case a.status == 404 && !a.scim:
		return hint("Something else answers: the proxy does not hand /scim/v2/ on to this server, or changes the path.", "响应来自其他服务：代理没有把 /scim/v2/ 转发到本服务器，或修改了路径。")
	case a.status == 502 || a.status == 503 || a.status == 504:
		return hint("The proxy does not reach this server: compare its upstream with `listen`.", "代理无法连接本服务器：请核对其上游地址与 `listen`。")
	case a.html:
		return hint("A web page came instead of SCIM: a login page of a proxy, or another site.", "返回了网页而不是 SCIM：可能是代理的登录页或其他站点。")
	case a.status >= 500:
		return hint("The server failed; its log says why under this time.", "服务器内部错误；请按时间查看服务器日志。")
	}
	return hint("The answer is not what a SCIM client expects here; compare the request in the list below.", "响应与 SCIM 客户端的预期不符；请在下方请求列表中查看。")
}
