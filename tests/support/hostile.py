"""Texts that are markup, formulas or paths to somebody, and must stay texts to everybody."""

WORDS = (
    "![x](http://evil.example/x.png)", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>",
    "[a](javascript:alert(1))", "[a]: http://evil.example", "[a][b] [^1]", "![", "a](b) [c",
    "`code` ``", "a | b", "first\n\n# second\r\n- third", "**bold** _it_ __dunder__ ~~gone~~",
    "http://evil.example/x", "see www.evil.example", "ann@evil.example", "<http://evil.example>",
    "&lt;b&gt; &amp; &#42;", "\\", "\\*", "$x$", "$\\nonsense{$", "1$", "[1, 2](http://evil.example)",
    "=1+1", "+1", "-1+x", "@sum", "\t=1", "\r=1", "'=1", "''=1", "'quoted'", "../../evil",
    "</details>",
)  # fmt: skip
