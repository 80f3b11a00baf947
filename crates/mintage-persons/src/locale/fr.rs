//! French: given names by sex, streets, places. The family names are those of `fake`.

pub(super) const MALE: &str = "Adrien Alain Alexandre Alexis André Anthony Antoine Arnaud Arthur Aurélien Baptiste Benjamin \
    Benoît Bernard Bruno Cédric Charles Christian Christophe Clément Daniel David Denis Didier Dominique Édouard Emmanuel \
    Éric Étienne Fabien Fabrice Florian François Frédéric Gabriel Gaspard Georges Gérard Gilles Grégory Guillaume Guy Henri \
    Hugo Jacques Jean Jérôme Jules Julien Laurent Léo Louis Lucas Marc Marcel Mathieu Maurice Maxime Michel Nathan Nicolas \
    Olivier Pascal Patrick Paul Philippe Pierre Quentin Raphaël Raymond Rémi René Robert Roger Romain Sébastien Serge \
    Simon Stéphane Théo Thierry Thomas Tristan Victor Vincent Xavier Yves";

pub(super) const FEMALE: &str = "Adèle Agathe Agnès Alice Amandine Amélie Anaïs Andrée Anne Annie Audrey Aurélie Béatrice \
    Brigitte Camille Capucine Caroline Catherine Cécile Céline Chantal Charlotte Chloé Christelle Christine Claire Clémence \
    Colette Corinne Delphine Denise Diane Élise Élodie Emma Estelle Eugénie Fabienne Florence Françoise Gabrielle Geneviève \
    Ginette Hélène Inès Isabelle Jacqueline Jeanne Joséphine Juliette Julie Justine Laetitia Laure Laurence Léa Lina Louise \
    Lucie Madeleine Manon Margaux Marguerite Marie Marion Martine Mathilde Michèle Monique Nadine Nathalie Nicole Océane \
    Odette Pauline Sandrine Sarah Simone Solène Sophie Stéphanie Sylvie Thérèse Valérie Véronique Virginie Yvette Zoé";

pub(super) const STREETS: &str = "rue de l'Église|rue de la Mairie|Grande Rue|rue du Moulin|rue de la Gare|rue des Écoles|\
    rue Victor-Hugo|rue Pasteur|rue du Château|rue de la Fontaine|place de la République|avenue Jean-Jaurès|rue du Stade|\
    rue des Jardins|rue Jules-Ferry|rue de la Paix|rue du Lavoir|chemin des Vignes|rue des Lilas|rue du Puits|\
    avenue de la Gare|rue Gambetta|rue du Pont|rue des Rosiers|rue de la Poste|impasse des Acacias|rue des Tilleuls|\
    rue Voltaire|boulevard Carnot|rue Émile-Zola|rue de la Liberté|rue des Peupliers|rue Saint-Martin|rue du Bois|\
    allée des Chênes|rue des Cerisiers|avenue Foch|boulevard Voltaire|quai des Tanneurs|rue Molière|rue de la Forêt|\
    rue Lamartine|rue des Fleurs|rue du Marché|cours Lafayette|rue de Bretagne|rue de Provence|rue Balzac|rue Racine|\
    avenue des Pins|chemin du Lac|rue de la Source|rue des Prés|rue du Général-Leclerc|place du Marché|rue du Four|\
    allée des Érables|rue Diderot|rue des Alouettes|rue de la Vallée|rue Claude-Monet|rue Marie-Curie";

pub(super) const PLACES: &str = "Paris|Île-de-France|75|750
Marseille|Provence-Alpes-Côte d'Azur|13|130
Lyon|Auvergne-Rhône-Alpes|69|690
Toulouse|Occitanie|31|310 311 312 313 314 315
Nice|Provence-Alpes-Côte d'Azur|06|060 061 062 063
Nantes|Pays de la Loire|44|440 441 442 443
Strasbourg|Grand Est|67|670 671 672
Montpellier|Occitanie|34|340 341
Bordeaux|Nouvelle-Aquitaine|33|330 331 332 333
Lille|Hauts-de-France|59|590 592 598
Rennes|Bretagne|35|350 352 357
Reims|Grand Est|51|511
Le Havre|Normandie|76|766
Saint-Étienne|Auvergne-Rhône-Alpes|42|420 421
Toulon|Provence-Alpes-Côte d'Azur|83|830 831 832
Grenoble|Auvergne-Rhône-Alpes|38|380 381
Dijon|Bourgogne-Franche-Comté|21|210
Angers|Pays de la Loire|49|490 491
Nîmes|Occitanie|30|300 309
Villeurbanne|Auvergne-Rhône-Alpes|69|691
Clermont-Ferrand|Auvergne-Rhône-Alpes|63|630 631
Le Mans|Pays de la Loire|72|720 721
Aix-en-Provence|Provence-Alpes-Côte d'Azur|13|136 131
Brest|Bretagne|29|292
Tours|Centre-Val de Loire|37|370 371 372
Amiens|Hauts-de-France|80|800 800
Limoges|Nouvelle-Aquitaine|87|870 871 872
Annecy|Auvergne-Rhône-Alpes|74|740
Perpignan|Occitanie|66|660 661
Besançon|Bourgogne-Franche-Comté|25|250
Metz|Grand Est|57|570
Orléans|Centre-Val de Loire|45|450 451
Rouen|Normandie|76|760 761
Mulhouse|Grand Est|68|681 682
Caen|Normandie|14|140
Nancy|Grand Est|54|540 541
Avignon|Provence-Alpes-Côte d'Azur|84|840
Poitiers|Nouvelle-Aquitaine|86|860
Versailles|Île-de-France|78|780
Pau|Nouvelle-Aquitaine|64|640
La Rochelle|Nouvelle-Aquitaine|17|170
Calais|Hauts-de-France|62|621
Colmar|Grand Est|68|680
Bourges|Centre-Val de Loire|18|180
Quimper|Bretagne|29|290
Troyes|Grand Est|10|100
Valence|Auvergne-Rhône-Alpes|26|260
Chambéry|Auvergne-Rhône-Alpes|73|730
Lorient|Bretagne|56|561
Niort|Nouvelle-Aquitaine|79|790
Montauban|Occitanie|82|820
Ajaccio|Corse|2A|200 201
Bastia|Corse|2B|202 206
Beauvais|Hauts-de-France|60|600
Évreux|Normandie|27|270
Nevers|Bourgogne-Franche-Comté|58|580
Auxerre|Bourgogne-Franche-Comté|89|890
Chartres|Centre-Val de Loire|28|280
Saint-Malo|Bretagne|35|354
Bayonne|Nouvelle-Aquitaine|64|641";

pub(super) const TOWN_STARTS: &str = "Beau Belle Clair Haute Basse Mont Roche Ville Château Pont Font Bois Champ Val Grand \
    Petit Neuf Vieux Blanc Vert Noir Long";
pub(super) const TOWN_ENDS: &str = "fort court ville mont val bois lieu pré fontaine rive roche bourg marais vigne plaine \
    combe source lande garde moulin chêne";
