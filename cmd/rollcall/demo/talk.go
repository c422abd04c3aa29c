package demo

// Line is one message of the demo: who (the nth of a department) says what where.
type Line struct {
	Channel, Department  string
	Speaker              int
	Kind, Language, Text string
}

// Talk is what was said before the demo began.
func Talk() []Line {
	return []Line{
		{"company/news", "People", 0, "text", "", "**Welcome to Aurora.** Everything you see here follows from what HR knows. \n\n**欢迎来到极光。** 你在这里看到的一切，都由人事数据自动得出。"},
		{"apollo/general", "Platform", 0, "text", "", "Release 4.2 goes out on Thursday. 周四发布 4.2，请今天之内合入。"},
		{"apollo/general", "Platform", 1, "text", "", "收到。数据库迁移脚本我下午再跑一遍。"},
		{"apollo/general", "Platform", 2, "code", "go", "// Settled returns when rev is in force on every node.\nfunc (x *Index) Settled(ctx context.Context, rev int64) error {\n\tfor x.Revision() < rev {\n\t\tif err := x.CatchUp(ctx, rev); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n\treturn nil\n}"},
		{"apollo/general", "Platform", 0, "text", "", "Nice. Does it hold when the node is frozen for a second? \n\n`SIGSTOP` is the test I would like to see."},
		{"apollo/incidents", "Platform", 3, "text", "", "02:14 latency up on `eu-2`, 02:19 back to normal. Cause: a full disk on one replica. 磁盘写满，已扩容。"},
		{"apollo/incidents", "Platform", 3, "code", "bash", "df -h /var/lib/postgresql\n# Filesystem      Size  Used Avail Use% Mounted on\n# /dev/nvme1n1    500G  499G  1.0G 100% /var/lib/postgresql"},
		{"mercury/general", "Mobile", 0, "text", "", "新版首页的埋点已经接好，麻烦产品同学验收一下。"},
		{"mercury/general", "Mobile", 1, "text", "", "The Android build is green again: https://ci.aurora.example/mercury/812"},
		{"mercury/releases", "Mobile", 0, "text", "", "3.9.0 is in the stores. Release notes in both languages are attached to the ticket."},
		{"saturn/field", "Sales China", 0, "text", "", "苏州客户想下周来看演示，谁可以一起？"},
		{"saturn/field", "Sales Europe", 1, "text", "", "I can join by video from Berlin, Tuesday after 14:00 Shanghai."},
		{"saturn/deals", "Sales", 0, "text", "", "Q4 pipeline is at 82 %. Please keep the close dates honest."},
		{"company/lounge", "Applied AI", 1, "text", "", "谁的午饭在微波炉里？"},
		{"company/lounge", "Sales Europe", 2, "text", "", "Not mine, but it smells wonderful."},
	}
}
