"""What forgers write in place of a letter, by hand and eye: the tables that disguised copies are made with.

On purpose not those by which the worker undoes them (Unicode's, through a library). Each script has a usual table,
which training sees, and a rare one, which only tests see.
"""

from __future__ import annotations

TABLES = {
    "latin": (
        "aаα cсϲ eеε hһ iіι jј kкκ mм nпη oоο pрρ sѕ tтτ uυ vν wωш xхχ yуγ bьв rг AАΑ BВΒ CС EЕΕ HНΗ IІΙ JЈ "
        "KКΚ MМΜ NΝ OОΟ PРΡ SЅ TТΤ XХΧ YУΥ ZΖ",
        "aɑᴀ bʙƅ cᴄⲥ dԁᴅ eҽᴇ fꜰ gɡց hհʜ iɩɪ jϳᴊ kᴋ lӏⅼʟ mᴍ nոɴ oօᴏ pᴘⲣ qԛ rʀᴦ sꜱ tᴛ uսᴜ vѵᴠ wԝᴡ xⅹ yүʏ zᴢ AᎪꓮ "
        "BᏴꓐ CᏟꓚ DᎠꓓ EᎬꓰ GᏀ HᎻꓧ JᎫ KᏦꓗ LᏞ MᎷ PᏢꓑ SᏚ TᎢꓔ VᏙ WᎳ YᎽ ZᏃ",
    ),
    "cyrillic": (
        "аa вb еe иu іi кk мm оo пn рp сc тt уy хx ьb АA ВB ЕE ІI КK МM НH ОO РP СC ТT ХX УY",
        "аα оο рρ кκ тτ хχ уγ пπ фφ АΑ ВΒ ГΓ ЕΕ КΚ МΜ НΗ ОΟ ПΠ РΡ ТΤ ФΦ ХΧ",
    ),
    "greek": (
        "αa εe ιi κk νv οo ρp τt υu χx γy ηn ωw ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX",
        "αа κк οо πп ρр τт φф χх εє ΑА ΕЕ ΚК ΜМ ΟО ΡР ΤТ ΧХ ΠП ΓГ ΦФ",
    ),
    "armenian": (
        "ոn օo սu հh ցg զq",
        "օо սυ հһ",
    ),
    "arabic": (
        "يی كک",
        "هہ يې كڪ",
    ),
    "persian": (
        "یي کك",
        "کڪ",
    ),
    "devanagari": (
        "आअा ओअो औअौ",
        "ऑअॉ आअा",
    ),
    "bengali": (
        "আঅা",
        "আঅা",
    ),
    "thai": (
        "แเเ ำํา",
        "แเเ",
    ),
    "han": (
        "口ロ 力カ 工エ 二ニ 八ハ 一⼀ 人⼈ 大⼤ 日⽇ 月⽉ 用⽤ 行⾏ 金⾦ 手⼿ 入⼊ 生⽣ 立⽴ 里⾥ 方⽅ 小⼩",
        "长⻓ 门⻔ 车⻋ 风⻛ 马⻢ 页⻚ 见⻅ 贝⻉ 龙⻰ 网⽹",
    ),
}
"""By the script or language: words of a letter and all that passes for it, usual and rare; a letter and a mark, and two
equal letters, pass for it together."""
