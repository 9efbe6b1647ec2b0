"""The Debian packages whose fonts draw the bundled `letters`, each with the licence of its fonts and who they are by.

The pictures are renderings, which a program has drawn with the fonts; no font file, outline or other font software is
among them. The licences are those of the fonts, and the authority on each package's terms is its own
``/usr/share/doc/PACKAGE/copyright``. What these files say of things made with a font differs:

- The SIL Open Font License 1.1 says that it does not reach documents created with the font. Version 1.0 says nothing
  of such documents: for its packages all rests on the pictures not being font software.
- The font exception to the GPL is about documents that embed the font or unaltered portions of it; the pictures embed
  none.
- The author of fonts-aenigma allowed to redistribute and to change his fonts, with changes noted and himself named.
- MIT and Bitstream Vera ask for their notices in copies of the font software; CC0 and the public domain for nothing.

That the pictures are not font software is how this project reads the licences, and no legal advice. Whoever made the
fonts is named beside the pictures, whatever the licence asks for. To be careful, fonts under the GPL, LGPL or Artistic
License without such an exception, and under CC-BY-SA, are left out.
"""

from dataclasses import dataclass

OFL, OFL_1_0 = "SIL Open Font License 1.1", "SIL Open Font License 1.0"
EXCEPTION = "GPL with font exception"
PERMISSION = "redistribution and change allowed, with attribution and changes noted"
_ADF = "1998-2019 Hirwen Harendal, Arkandis Digital Foundry"
_IMPALLARI = "Pablo Impallari, Igino Marini"
_FAMILIES_OF_ADF = (
    *("Accanthis", "Baskervald", "Berenis", "Gillius", "Ikarius", "Irianis", "Libris", "Mekanus", "Oldania", "Romande"),
    *("Solothurn", "Switzera", "Tribun", "Universalis", "Verana"),
)


@dataclass(frozen=True)
class Package:
    """A Debian package of fonts.

    Args:
        name: its name.
        files: where it puts the fonts, as a pattern of paths below the folder of fonts.
        licence: of the fonts.
        by: year and holder of their copyright.
    """

    name: str
    files: str
    licence: str
    by: str


PACKAGES = (
    Package("fonts-aenigma", "truetype/aenigma/*.ttf", PERMISSION, "1995-2008 Brian Kent (aenigmafonts.com)"),
    *(
        Package(f"fonts-adf-{family.lower()}", f"truetype/adf/{family}*.otf", EXCEPTION, _ADF)
        for family in _FAMILIES_OF_ADF
    ),
    Package("fonts-liberation", "truetype/liberation/*.ttf", EXCEPTION, "2007 Red Hat, Inc."),
    Package(
        "fonts-dejavu-core",
        "truetype/dejavu/DejaVuS*[sof].ttf",  # those of this package alone
        "Bitstream Vera license",
        "2003 Bitstream, Inc.; changes of DejaVu in the public domain",
    ),
    Package("fonts-freefont-ttf", "truetype/freefont/*.ttf", EXCEPTION, "2002-2012 GNU FreeFont contributors"),
    Package("fonts-georgewilliams", "truetype/fonts-georgewilliams/*.ttf", OFL, "1990-2001 George Williams"),
    Package("fonts-allerta", "opentype/allerta/*.otf", OFL, "2010 Matt McInerney"),
    Package("fonts-apropal", "opentype/apropal/*.otf", OFL, "2016 Stowarzyszenie Miastodwa, Rafał Buchner"),
    Package("fonts-arapey", "opentype/arapey/*.otf", OFL, "2011-2019 The Arapey Project Authors"),
    Package("fonts-bajaderka", "opentype/bajaderka/*.otf", OFL, "2016 Stowarzyszenie Kulturotwórcze Miastodwa"),
    Package("fonts-bebas-neue", "opentype/bebas-neue/*.otf", OFL, "2010 Ryoichi Tsunekawa"),
    Package("fonts-blankenburg", "truetype/blankenburg/*.ttf", OFL, "2009 Peter Wiegel"),
    Package("fonts-breip", "truetype/breip/*.ttf", OFL_1_0, "2006 Adam Breipohl, Alan Hussey"),
    Package("fonts-bwht", "opentype/bwht/*.otf", OFL, "2019 Red Hat, Inc. and its contributors"),
    Package("fonts-cabin", "opentype/cabin/*.otf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-cabinsketch", "truetype/cabinsketch/*.ttf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-century-catalogue", "truetype/fonts-century-catalogue/*.ttf", OFL_1_0, "2006 Raph Levien"),
    Package("fonts-cherrybomb", "opentype/cherrybomb/*.otf", OFL, "2019-2020 The Cherry Bomb Project Authors"),
    Package("fonts-comfortaa", "truetype/comfortaa/*.ttf", OFL, "2008-2017 Johan Aakerlund"),
    Package("fonts-comic-neue", "opentype/comic-neue/*.otf", OFL, "2014-2016 Craig Rozynski, Hrant Papazian"),
    Package(
        "fonts-compagnon",
        "opentype/compagnon/*.otf",
        OFL,
        "2018 Juliette Duhé, Léa Pradine, Valentin Papon, Sébastien Riollier, Chloé Lozano",
    ),
    Package("fonts-courier-prime", "opentype/courier-prime/*.otf", OFL, "2015 Quote-Unquote Apps"),
    Package("fonts-dancingscript", "opentype/dancingscript/*.otf", OFL, f"2010 {_IMPALLARI}"),
    Package("fonts-dkg-handwriting", "truetype/fifthhorseman/*.ttf", OFL, "2005-2023 Daniel Kahn Gillmor"),
    Package("fonts-dosis", "opentype/dosis/*.otf", OFL, f"2011 Edgar Tolentino, {_IMPALLARI}"),
    Package("fonts-ecolier-court", "truetype/ecolier-court/*.ttf", OFL, "2007 Jean-Marie Douteau"),
    Package("fonts-essays1743", "truetype/essays1743/*.ttf", f"{OFL} or LGPL", "2007-2017 John Stracke"),
    Package("fonts-eurofurence", "truetype/eurofurence/*.ttf", OFL, "2000 tobias b köhler"),
    Package("fonts-fantasma", "opentype/fantasma/*.otf", "CC0", "2022 Froyo Tam"),
    Package("fonts-fanwood", "truetype/fanwood/*.[ot]tf", "MIT", "2011 Barry Schwartz"),
    Package("fonts-ferrite-core", "opentype/ferrite-core/*.otf", OFL, "2019 Froyo Tam"),
    Package("fonts-gamaliel", "truetype/gamaliel/*.ttf", OFL, "2010 Rafael Ferran i Peralta"),
    Package("fonts-gnutypewriter", "truetype/gnutypewriter/*.ttf", OFL, "2011 Łukasz Komsta"),
    Package("fonts-goudybookletter", "opentype/sortsmill/*.otf", "public domain", "2007-2008 Barry Schwartz"),
    Package(
        "fonts-hack",
        "truetype/hack/*.ttf",
        "MIT and Bitstream Vera license",
        "2003 Bitstream, Inc.; 2018 Christopher Simpkins",
    ),
    Package("fonts-havana", "opentype/havana/*.otf", OFL, "2016 Stowarzyszenie Miastodwa, Joanna Angulska"),
    Package("fonts-humor-sans", "truetype/humor-sans/*.ttf", OFL, "2009 Michael Ciuffo"),
    Package("fonts-inconsolata", "truetype/inconsolata/*.otf", OFL_1_0, "2006 Raph Levien"),
    Package("fonts-joscelyn", "opentype/joscelyn/*.otf", OFL, "2020 Peter S. Baker"),
    Package("fonts-junction", "opentype/junction/*.otf", OFL, "2010 Caroline Hadilaksono"),
    Package("fonts-jura", "opentype/jura/*.otf", OFL, "2009 Daniel Johnson; 2016 Alexei Vanyashin"),
    Package(
        "fonts-karla", "truetype/karla/*.otf", OFL, "2011-2020 Jonathan Pinhorn, Mirko Velimirovic, Viviana Monsalve"
    ),
    Package("fonts-kaushanscript", "opentype/kaushanscript/*.otf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-klaudia-berenika", "truetype/klaudia-berenika/*.ttf", OFL, "2011 wmk69"),
    Package("fonts-kristi", "truetype/kristi/*.ttf", OFL, "2010 Birgit Pulk"),
    Package("fonts-lato", "truetype/lato/*.ttf", OFL, "2010-2011 Łukasz Dziedzic"),
    Package("fonts-le-murmure", "opentype/le-murmure/*.otf", OFL, "2019 Jérémy Landes, Alex Slobzheninov"),
    Package(
        "fonts-league-spartan",
        "opentype/league-spartan/*.otf",
        OFL,
        "2011-2020 Micah Rich, Caroline Hadilaksono, Tyler Finck",
    ),
    Package("fonts-leckerli-one", "truetype/leckerli-one/*.ttf", OFL, "2011 Gesine Todt"),
    Package("fonts-lindenhill", "truetype/lindenhill/*.otf", "MIT", "2010 Barry Schwartz"),
    Package("fonts-lobster", "opentype/lobster/*.otf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-lobstertwo", "opentype/lobstertwo/*.otf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-millimetre", "opentype/millimetre/*.otf", OFL, "2018 Jérémy Landes"),
    Package("fonts-monofur", "truetype/monofur/*.ttf", OFL, "2000 tobias b köhler"),
    Package("fonts-national-park", "opentype/national-park/*.otf", OFL, "2018 Jeremy Shellhorn"),
    Package("fonts-ocr-a", "truetype/ocr-a/*.ttf", "public domain", "John Sauter"),
    Package("fonts-okolaks", "truetype/okolaks/*.ttf", OFL, "Grzegorz Luk"),
    Package("fonts-oldstandard", "truetype/fonts-oldstandard/*.ttf", OFL_1_0, "2006 Alexey Kryukov"),
    Package("fonts-play", "truetype/play/*.ttf", OFL, "2011 Jonas Hecksher, Playtypes, e-types AS"),
    Package("fonts-prociono", "opentype/fonts-prociono/*.otf", "public domain", "2010 Barry Schwartz"),
    Package("fonts-quattrocento", "opentype/quattrocento/*.otf", OFL, f"2011 {_IMPALLARI}"),
    Package("fonts-quicksand", "truetype/quicksand/*.ttf", OFL, "2011 The Quicksand Project Authors"),
    Package("fonts-radisnoir", "opentype/radisnoir/*.otf", OFL, "2007-2008 Gaël Goy"),
    Package("fonts-rufscript", "truetype/rufscript/*.ttf", EXCEPTION, "2008 Hiran Venugopalan"),
    Package("fonts-sil-gentium-basic", "truetype/gentium-basic/*.ttf", OFL, "2003-2013 SIL International"),
    Package("fonts-sjfonts", "truetype/sjfonts/*.ttf", EXCEPTION, "1997 Steve Jordi"),
    Package("fonts-smc-chilanka", "opentype/malayalam/Chilanka*.otf", OFL, "2020 The Chilanka Project Authors"),
    Package("fonts-solide-mirage", "opentype/solid-mirage/*.otf", OFL, "2017 Jérémy Landes-Nones"),
    Package("fonts-sora", "opentype/sora/*.otf", OFL, "2019-2020 The Sora Project Authors"),
    Package("fonts-tomsontalks", "truetype/tomsontalks/*.ttf", OFL, "2008-2010 Frank Bruder"),
    Package(
        "fonts-tuffy",
        "truetype/tuffy/*.ttf",
        "public domain",
        "2004-2011 Thatcher Ulrich, Karoly Barta, Michael Everson",
    ),
    Package("fonts-vollkorn", "truetype/vollkorn/*.ttf", OFL, "2006-2014 Friedrich Althausen, Jan Gerner"),
    Package(
        "fonts-yanone-kaffeesatz",
        "opentype/yanone-kaffeesatz/*.otf",
        OFL,
        "2004-2016 Jan Gerner, Huerta Tipográfica, Cyreal",
    ),
)
