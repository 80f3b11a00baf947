//! German: given names by sex, family names, places. The lists of `fake` have no sexes.

pub(super) const MALE: &str = "Alexander Andreas Anton Bernd Christian Christoph Daniel David Dennis Dieter Dirk Dominik \
    Emil Erik Fabian Felix Finn Florian Frank Franz Friedrich Fritz Georg Gerhard Günter Hans Heinrich Heinz Helmut Henry \
    Holger Jan Jens Joachim Johannes Jonas Julian Jürgen Kai Karl Klaus Konstantin Leon Lukas Manfred Markus Martin Matthias \
    Maximilian Michael Moritz Niklas Noah Oliver Oskar Paul Peter Philipp Ralf Rainer Robert Rolf Sebastian Simon Stefan \
    Theo Thomas Thorsten Tim Tobias Uwe Volker Walter Werner Wolfgang";

pub(super) const FEMALE: &str = "Andrea Angelika Anja Anke Anna Annette Antje Barbara Beate Birgit Brigitte Carla Charlotte \
    Christa Christina Claudia Clara Daniela Doris Edith Elfriede Elisabeth Ella Emilia Emma Erika Eva Franziska Frieda \
    Gabriele Gerda Gisela Greta Hannah Heike Helga Ida Ilse Inge Ines Ingrid Jana Johanna Julia Jutta Karin Katharina Kerstin \
    Klara Lara Laura Lea Lena Leonie Lina Luisa Maria Marie Marlene Martina Mathilda Mia Monika Nadine Nicole Petra Renate \
    Sabine Sandra Silke Sofia Sophie Stefanie Susanne Tanja Ursula Ute Vanessa";

pub(super) const FAMILY: &str = "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch \
    Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause \
    Meier Lehmann Schmid Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß \
    Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster \
    Simon Ludwig Böhm Winter Kraus Martin Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel Heinrich Brandt Haas \
    Schreiber Graf Schulte Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas Voigt Sauer Arnold Wolff Pfeiffer \
    Ernst Lindner Hübner Kramer Nowak Jansen Wenzel Hansen Reuter Petersen Ulrich Böttcher Ebert Kirchner Riedel Barth Dreyer";

pub(super) const STREETS: &str = "Hauptstr.|Bahnhofstr.|Gartenstr.|Schulstr.|Dorfstr.|Bergstr.|Birkenweg|Lindenstr.|\
    Kirchstr.|Waldstr.|Ringstr.|Schillerstr.|Goethestr.|Amselweg|Wiesenweg|Buchenweg|Jahnstr.|Wiesenstr.|Finkenweg|\
    Ahornweg|Rosenstr.|Blumenstr.|Rosenweg|Feldstr.|Eichenweg|Friedhofstr.|Drosselweg|Talstr.|Erlenweg|Mozartstr.|\
    Beethovenstr.|Mühlenweg|Tannenweg|Kastanienallee|Brunnenstr.|Lerchenweg|Marktplatz|Poststr.|Mittelstr.|Parkstr.|\
    Uhlandstr.|Sonnenstr.|Südstr.|Nordstr.|Am Bach|Am Sportplatz|Im Winkel|Lessingstr.|Mühlenstr.|Fichtenweg|\
    Kiefernweg|Neue Str.|Kantstr.|Heideweg|Burgstr.|Schlossstr.|Hafenstr.|Marktstr.|Gerberstr.|Kapellenweg";

pub(super) const PLACES: &str = "Berlin|Berlin|BE|101 104 120 121 130 133
Hamburg|Hamburg|HH|200 203 221 223
München|Bayern|BY|803 805 812 815
Köln|Nordrhein-Westfalen|NW|506 508 509
Frankfurt am Main|Hessen|HE|603 604 605
Stuttgart|Baden-Württemberg|BW|701 703 705
Düsseldorf|Nordrhein-Westfalen|NW|402 404 405
Leipzig|Sachsen|SN|041 042 043
Dortmund|Nordrhein-Westfalen|NW|441 442 443
Essen|Nordrhein-Westfalen|NW|451 452 453
Bremen|Bremen|HB|281 282 283
Dresden|Sachsen|SN|010 011 012 013
Hannover|Niedersachsen|NI|301 304 305 306
Nürnberg|Bayern|BY|904
Duisburg|Nordrhein-Westfalen|NW|470 471 472
Bochum|Nordrhein-Westfalen|NW|447 448
Wuppertal|Nordrhein-Westfalen|NW|421 422 423
Bielefeld|Nordrhein-Westfalen|NW|336 337
Bonn|Nordrhein-Westfalen|NW|531 532
Münster|Nordrhein-Westfalen|NW|481
Karlsruhe|Baden-Württemberg|BW|761 762
Mannheim|Baden-Württemberg|BW|681 682 683
Augsburg|Bayern|BY|861
Wiesbaden|Hessen|HE|651 652
Braunschweig|Niedersachsen|NI|381
Kiel|Schleswig-Holstein|SH|241
Chemnitz|Sachsen|SN|091
Aachen|Nordrhein-Westfalen|NW|520
Halle (Saale)|Sachsen-Anhalt|ST|061
Magdeburg|Sachsen-Anhalt|ST|391
Freiburg im Breisgau|Baden-Württemberg|BW|791
Krefeld|Nordrhein-Westfalen|NW|477 478
Lübeck|Schleswig-Holstein|SH|235
Mainz|Rheinland-Pfalz|RP|551
Erfurt|Thüringen|TH|990
Rostock|Mecklenburg-Vorpommern|MV|180 181
Kassel|Hessen|HE|341
Potsdam|Brandenburg|BB|144
Saarbrücken|Saarland|SL|661
Hamm|Nordrhein-Westfalen|NW|590
Oldenburg|Niedersachsen|NI|261
Osnabrück|Niedersachsen|NI|490
Heidelberg|Baden-Württemberg|BW|691
Regensburg|Bayern|BY|930
Würzburg|Bayern|BY|970
Ingolstadt|Bayern|BY|850
Ulm|Baden-Württemberg|BW|890
Göttingen|Niedersachsen|NI|370
Koblenz|Rheinland-Pfalz|RP|560
Trier|Rheinland-Pfalz|RP|542
Jena|Thüringen|TH|077
Gera|Thüringen|TH|075
Schwerin|Mecklenburg-Vorpommern|MV|190
Cottbus|Brandenburg|BB|030
Flensburg|Schleswig-Holstein|SH|249
Bremerhaven|Bremen|HB|275";

pub(super) const TOWN_STARTS: &str = "Linden Eichen Rosen Birken Wolfs Hirsch Adler Falken Raben Stein Silber Gold Schön \
    Grün Lichten Neuen Alten Hohen Nieder Ober Unter Mittel Weiden Erlen Buchen Brunn";
pub(super) const TOWN_ENDS: &str = "burg berg heim hausen dorf feld stadt bach tal hagen rode brück furt wald stein au \
    moor kirchen ried weiler büttel hofen mühle";
