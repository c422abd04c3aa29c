package trial

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// tryLDAP looks around a directory: one step for the connection, one for what was seen, one for each thing to know.
func tryLDAP(ctx context.Context, look func(context.Context) (ldap.Capabilities, []ldap.Finding, error)) []Step {
	began := time.Now()
	caps, findings, err := look(ctx)
	connect := Step{Name: "connect", Expected: "an encrypted connection and a login", OK: err == nil, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		connect.Got = "failed"
	} else {
		connect.Got = fmt.Sprintf("%s, TLS %s, id attribute %s, a small search in %.1f ms", caps.Vendor, caps.TLS, caps.IDAttribute, float64(caps.Latency.Microseconds())/1000)
	}
	steps := []Step{connect}
	if err == nil {
		people := caps.Sample[ldap.ClassPerson]
		steps = append(steps, Step{Name: "sample", Expected: "people on the first page", OK: people > 0,
			Got: fmt.Sprintf("%s, %s, %s", many(people, "person", "people"), many(caps.Sample[ldap.ClassUnit], "unit", "units"), many(caps.Sample[ldap.ClassGroup], "group", "groups"))})
		if caps.Counts != nil {
			steps = append(steps, Step{Name: "counts", Expected: "all entries, to the last page", OK: !slices.ContainsFunc(findings, func(f ldap.Finding) bool { return f.Code == "limited" }),
				Got: counted(caps, ldap.ClassPerson, "person", "people") + ", " + counted(caps, ldap.ClassUnit, "unit", "units") + ", " + counted(caps, ldap.ClassGroup, "group", "groups")})
		}
	}
	for _, f := range findings {
		zh := chinese(f.Code, caps.PageSize)
		if _, counts, found := strings.Cut(f.Text, ": "); found && (f.Code == "mapped" || f.Code == "unmapped") {
			zh += strings.ReplaceAll(counts, " of ", "/")
		}
		if zh == "" {
			zh = f.Text
		}
		steps = append(steps, Step{Name: f.Code, Got: string(f.Severity), OK: f.Severity != ldap.Error, Hint: hint(f.Text, zh)})
	}
	return steps
}

// counted says how many there are of a class, or how many at least.
func counted(caps ldap.Capabilities, class ldap.Class, one, several string) string {
	least := ""
	if caps.Part[class] {
		least = "at least "
	}
	return least + many(caps.Counts[class], one, several)
}

func many(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// chinese says a finding in Chinese, where it is one that is known. pageSize is the largest page that the server gives.
func chinese(code string, pageSize int) string {
	return map[string]string{
		"plain":                "连接未加密；仅适用于单机试用。",
		"no_paging":            "服务器不支持分页：无法证明读取完整，因此永远不会判定任何人已离开。",
		"no_position":          "账号无法读取变更标记（contextCSN、highestCommittedUSN、lastChangeNumber）：只能按全量同步的间隔发现变更。",
		"no_id":                "部分条目没有不可变标识：账号可能无权读取，或 id_attribute 配置有误。",
		"no_sentinel":          "哨兵条目不存在，或账号无权读取：任何读取都不会被相信。",
		"no_people":            "没有找到任何人员：请检查 base 与 person_classes。",
		"no_unit":              "没有找到任何组织单元。",
		"no_group":             "没有找到任何组。",
		"no_login":             "部分人员没有登录名：请检查 mapping.user_name。",
		"unmapped":             "查看过的人员都没有映射所指的以下属性（名称是否正确，账号是否有权读取？）：",
		"mapped":               "查看过的人员中具备映射所指属性的人数：",
		"members_hidden":       "所有组都没有显示成员：账号是否有权读取成员？",
		"reference":            "服务器将部分目录指向另一台服务器；该部分不会被读取。",
		"limited":              "服务器在列出全部条目之前就截断了结果：请放宽该账号的数量与时间限制，否则永远不会判定任何人已离开。",
		"id_twice":             "部分条目的标识与其他条目相同：它不能标识人员，任何读取都不会被相信。",
		"page_size":            fmt.Sprintf("服务器不提供 page_size 这么大的分页：请将 page_size 设为 %d。", pageSize),
		"counted_part":         "目录很大，只在限定时间内清点了一部分条目。",
		"clock_skew":           "服务器与本机的时钟相差较大：账号到期以本机时钟为准。",
		"no_syncprov":          "服务器声明支持内容同步却拒绝提供，因此只能按时间查询变更：OpenLDAP 请加载 syncprov 覆盖层，并允许该账号使用。",
		"no_stream":            "只能通过重新读取全部内容来发现变更。",
		"by_time":              "服务器不推送变更；按 modifyTimestamp 查找变更，并定期列出全部条目以发现删除。",
		"no_replication_right": "账号无权复制变更，只能按这一台域控制器的 uSNChanged 查找变更：请授予“复制目录更改”权限。",
		"deletions_hidden":     "账号看不到已删除的对象：通过定期列出全部条目来发现删除。",
		"config":               "配置有误。",
		"server_failed":        "url 中有一台服务器无法使用：请检查其地址、端口、防火墙与证书；读取由其他服务器完成。",
		"unreachable":          "无法连接 LDAP 服务器：请检查地址、端口与防火墙。",
		"timeout":              "LDAP 服务器没有响应。",
		"tls":                  "无法建立安全连接：请检查证书、ca_file 与 server_name。",
		"login":                "登录被拒绝：请检查 bind_dn 与密码。",
		"closed":               "服务器关闭了连接。",
	}[code]
}
