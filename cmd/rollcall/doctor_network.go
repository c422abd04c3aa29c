package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/bus"
)

// get asks an address and answers what it says.
func get(ctx context.Context, client *http.Client, url, token string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	return answer.StatusCode, string(all), err
}

func (d *doctor) bus(ctx context.Context) {
	if d.cfg.Cluster.Bus == "" {
		return
	}
	options := d.cfg.Cluster.options(slog.New(slog.DiscardHandler))
	if !options.Proven() {
		d.say("bus", stateWarn, "whoever reaches it may speak there (cluster.insecure_bus)", "任何能连接的人都可以发言（cluster.insecure_bus）")
	}
	b, err := bus.Connect(options)
	if err != nil {
		d.say("bus", stateBad, err.Error(), err.Error())
		return
	}
	defer b.Close()
	for !b.Connected() {
		select {
		case <-ctx.Done():
			d.say("bus", stateBad, "no server is reached, or it does not let this node in: nudges are lost, and everything takes longer", "无法连接任何服务器，或被拒绝：提醒会丢失，一切变慢")
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	d.say("bus", stateFine, "reached", "可连接")
}

func (d *doctor) issuer(ctx context.Context) {
	if d.cfg.OIDC.Issuer == "" {
		d.say("oidc", stateWarn, "no identity provider: nobody signs in by browser but with a directory's password", "未配置身份提供方：浏览器只能用目录密码登录")
		return
	}
	status, _, err := get(ctx, d.way.Client(0), strings.TrimSuffix(d.cfg.OIDC.Issuer, "/")+"/.well-known/openid-configuration", "")
	switch {
	case err != nil:
		d.say("oidc", stateBad, "the issuer is not reached: "+err.Error(), "无法连接身份提供方："+err.Error())
	case status != http.StatusOK:
		d.say("oidc", stateBad, fmt.Sprintf("the issuer answers %d", status), fmt.Sprintf("身份提供方返回 %d", status))
	default:
		d.say("oidc", stateFine, "the issuer answers", "身份提供方应答")
	}
}

func (d *doctor) fga(ctx context.Context) {
	if d.cfg.OpenFGA.URL == "" {
		return
	}
	status, _, err := get(ctx, d.way.Client(0), strings.TrimSuffix(d.cfg.OpenFGA.URL, "/")+"/stores?page_size=1", d.cfg.OpenFGA.Token)
	switch {
	case err != nil:
		d.say("openfga server", stateBad, "not reached: "+err.Error(), "无法连接："+err.Error())
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.say("openfga server", stateBad, "refuses openfga.token", "拒绝 openfga.token")
	case status != http.StatusOK:
		d.say("openfga server", stateBad, fmt.Sprintf("answers %d", status), fmt.Sprintf("返回 %d", status))
	default:
		d.say("openfga server", stateFine, "answers", "应答")
	}
}

// server asks the one that runs with this configuration, where it runs on this machine.
func (d *doctor) server(ctx context.Context) {
	base := localURL(d.cfg.Listen)
	status, said, err := get(ctx, http.DefaultClient, base+"/readyz", "")
	switch {
	case err != nil:
		d.say("server", stateWarn, "none answers at "+base, base+" 没有应答")
		return
	case status != http.StatusOK:
		d.say("server", stateBad, strings.TrimSpace(said), strings.TrimSpace(said))
		return
	}
	d.say("server", stateFine, "ready at "+base, base+" 就绪")
	if d.cfg.BootstrapToken == "" {
		return
	}
	if status, figures, err := get(ctx, http.DefaultClient, base+"/metrics", d.cfg.BootstrapToken); err == nil && status == http.StatusOK {
		d.divergence(figures)
	}
}

// divergence reads what the server found when it held its index against OpenFGA, of all classes of decisions together.
func (d *doctor) divergence(figures string) {
	sums := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(figures)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			sums[name] += n
		}
	}
	differences, foreign := sums["rollcall_authz_divergence_total"], sums["rollcall_authz_foreign_tuples_total"]+sums["rollcall_authz_missing_tuples_total"]+sums["rollcall_authz_foreign_models_total"]
	switch {
	case differences+foreign > 0:
		d.say("divergence", stateBad, fmt.Sprintf("%g differences between OpenFGA and the index since the start, %g tuples and models that others wrote there or deleted; closed now: %g. See the audit log", differences, foreign, sums["rollcall_authz_doubted"]),
			fmt.Sprintf("启动以来 OpenFGA 与索引有 %g 处不一致，他人写入或删除关系和模型 %g 个；目前关闭：%g。请看审计日志", differences, foreign, sums["rollcall_authz_doubted"]))
	case sums["rollcall_authz_compared_total"] == 0 && sums["rollcall_authz_uncompared_total"] > 0:
		d.say("divergence", stateWarn, "nobody knows whether OpenFGA and the index agree: OpenFGA does not answer", "无法得知 OpenFGA 与索引是否一致：OpenFGA 没有应答")
	default:
		d.say("divergence", stateFine, "OpenFGA and the index agree", "OpenFGA 与索引一致")
	}
}
