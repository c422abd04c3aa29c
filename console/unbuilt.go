package console

// unbuilt is the page of a binary that was built without the web app.
const unbuilt = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rollcall</title>
<style nonce="` + nonceMark + `">
:root { color-scheme: light dark; }
body { margin: 18vh auto 0; max-width: 34rem; padding: 0 1.5rem; font: 16px/1.6 system-ui, sans-serif; }
code { padding: .15em .45em; border-radius: 4px; background: rgba(128, 128, 128, .18); }
p { margin: .6em 0; }
</style>
</head>
<body>
<h1>Rollcall</h1>
<p>The server is running. This binary was built without the web app. To build it, run</p>
<p><code>make console</code></p>
<p>then build and start the server again. It needs Node 20.19 or newer.</p>
<p lang="zh-CN">服务器正在运行，但这个程序不含网页应用。请运行 <code>make console</code>，然后重新构建并启动服务器（需要 Node 20.19 或更新版本）。</p>
<p><a href="/docs">API</a></p>
</body>
</html>
`
