//! English, of the United States and of Great Britain. The family names are those of `fake`.

pub(super) const MALE_US: &str = "Aaron Adam Alan Albert Alexander Andrew Anthony Arthur Austin Benjamin Bobby Bradley Brandon \
    Brian Bruce Bryan Caleb Carl Charles Christopher Craig Daniel David Dennis Donald Douglas Dylan Edward Eric Ethan Eugene \
    Frank Gary George Gerald Gregory Harold Henry Howard Jack Jacob James Jason Jeffrey Jeremy Jesse Joe John Johnny Jonathan \
    Jordan Jose Joseph Joshua Juan Justin Keith Kenneth Kevin Kyle Larry Lawrence Logan Louis Mark Matthew Michael Nathan \
    Nicholas Noah Patrick Paul Peter Philip Ralph Randy Raymond Richard Robert Roger Ronald Roy Russell Ryan Samuel Scott \
    Sean Stephen Steven Terry Thomas Timothy Todd Travis Tyler Vincent Walter Wayne William Willie Zachary";

pub(super) const FEMALE_US: &str = "Abigail Alice Alexis Amanda Amber Amy Andrea Angela Ann Anna Ashley Barbara Betty Beverly \
    Brenda Brittany Carol Carolyn Catherine Charlotte Cheryl Christina Christine Cynthia Danielle Deborah Debra Denise Diana \
    Diane Donna Doris Dorothy Elizabeth Emily Emma Evelyn Frances Gloria Grace Hannah Heather Helen Isabella Jacqueline Jane \
    Janet Janice Jean Jennifer Jessica Joan Joyce Judith Judy Julia Julie Karen Katherine Kathleen Kathryn Kayla Kelly \
    Kimberly Laura Lauren Linda Lisa Lori Madison Margaret Maria Marie Marilyn Martha Mary Megan Melissa Michelle Nancy \
    Natalie Nicole Olivia Pamela Patricia Rachel Rebecca Rose Ruth Samantha Sandra Sara Sarah Sharon Shirley Sophia \
    Stephanie Susan Teresa Theresa Tiffany Victoria Virginia";

pub(super) const MALE_GB: &str = "Adam Adrian Aidan Alan Alastair Alfie Andrew Angus Archie Arthur Barry Benjamin Bernard \
    Callum Charles Christopher Clive Colin Connor Craig Daniel Darren David Derek Dominic Douglas Duncan Dylan Edmund Edward \
    Ewan Francis Freddie Gareth Gavin Geoffrey George Gerald Giles Glenn Gordon Graham Harry Harvey Henry Hugh Ian Jack Jacob \
    James Jamie Jeremy John Jonathan Joseph Kieran Keith Kenneth Leon Lewis Liam Luke Malcolm Martin Matthew Maurice Max \
    Michael Neil Nicholas Nigel Noel Oliver Oscar Owen Patrick Paul Peter Philip Piers Reginald Rhys Richard Robert Roger \
    Rory Rupert Russell Samuel Sean Sebastian Simon Stanley Stephen Stuart Terence Theodore Thomas Timothy Toby Trevor \
    Tristan Victor William Wilfred";

pub(super) const FEMALE_GB: &str = "Abigail Ada Agnes Alexandra Alice Alison Amelia Angela Anne Annabel Ava Barbara Beatrice \
    Beryl Bethany Bridget Bronwen Caitlin Carol Caroline Catherine Charlotte Chloe Christine Clare Claire Daisy Daphne Deborah \
    Diane Doreen Dorothy Edith Eileen Eleanor Elizabeth Ella Ellie Elsie Emily Emma Erin Eva Evelyn Evie Fiona Florence Freya \
    Gemma Georgina Gillian Grace Gwen Hannah Harriet Hazel Heather Helen Hilary Holly Imogen Iris Isabel Isla Ivy Jacqueline \
    Jane Janet Jean Jennifer Jessica Jill Joan Joanna Joyce Judith Julia Karen Kathleen Kirsty Laura Lesley Lily Linda Louise \
    Lucy Lydia Mabel Maisie Margaret Marion Mary Matilda Maureen Megan Mia Millie Molly Morag Nicola Nora Olivia Pamela \
    Patricia Pauline Penelope Phoebe Poppy Rebecca Rosemary Rosie Ruby Ruth Sally Samantha Sarah Sharon Sheila Sian Sophie \
    Susan Sylvia Tracey Valerie Victoria Violet Wendy Yvonne Zoe";

pub(super) const STREETS_US: &str = "Main St|Oak St|Maple Ave|Cedar St|Elm St|Pine St|Washington Ave|Lake Dr|Hill Rd|\
    Walnut St|Park Ave|Sunset Blvd|River Rd|Church St|Highland Ave|Forest Dr|Meadow Ln|Ridge Rd|Spring St|Mill Rd|\
    Valley View Dr|Cherry Ln|Dogwood Ln|Birch St|Willow Way|Jefferson St|Lincoln Ave|Madison Ave|Jackson St|Franklin St|\
    Chestnut St|Sycamore St|Magnolia Dr|Hickory Ln|Poplar St|Laurel St|Spruce St|Locust St|Center St|Union St|Water St|\
    Prospect St|Pleasant St|School St|Grove St|Broad St|Liberty St|Summit Ave|Harrison Ave|Monroe St|Adams St|\
    Country Club Rd|Orchard St|Railroad Ave|Colonial Dr|Fairway Dr|Heritage Ct|Hunters Run|Stonebridge Ct|Windsor Pl|\
    Kings Ct|Deer Path|Creekside Dr|Eagle Pass|Canyon Rd|Mesa Dr|Bayview Ter|Harbor Dr";

pub(super) const STREETS_GB: &str = "High Street|Station Road|Church Lane|Victoria Road|Green Lane|Manor Road|Park Road|\
    Queens Road|Kings Road|Mill Lane|School Lane|London Road|New Road|Main Street|The Crescent|Grange Road|Alexandra Road|\
    Windsor Road|Albert Road|The Avenue|Springfield Road|York Road|North Road|West Street|South View|Chapel Lane|\
    George Street|Church Street|Broadway|Highfield Road|Mill Road|Orchard Close|Meadow Way|The Grove|Willow Close|\
    Beech Grove|Chestnut Avenue|Elm Close|Hawthorn Drive|Laburnum Grove|Oak Avenue|Poplar Road|Rectory Lane|\
    Vicarage Road|Wellington Street|Nelson Street|Clarence Road|Stanley Road|Gladstone Terrace|Prince's Street|\
    Canal Walk|Bridge Street|Castle Street|Market Place|Quay Street|Harbour Road|Abbey Road|Priory Gardens|Tower Hill|\
    Heath Road|Moor Lane|Fairfield Road|Bramley Close";

pub(super) const PLACES_US: &str = "New York|New York|NY|100 101
Los Angeles|California|CA|900
Chicago|Illinois|IL|606
Houston|Texas|TX|770
Phoenix|Arizona|AZ|850
Philadelphia|Pennsylvania|PA|191
San Antonio|Texas|TX|782
San Diego|California|CA|921
Dallas|Texas|TX|752
Austin|Texas|TX|787
Jacksonville|Florida|FL|322
Columbus|Ohio|OH|432
Charlotte|North Carolina|NC|282
Indianapolis|Indiana|IN|462
San Francisco|California|CA|941
Seattle|Washington|WA|981
Denver|Colorado|CO|802
Oklahoma City|Oklahoma|OK|731
Nashville|Tennessee|TN|372
Washington|District of Columbia|DC|200
El Paso|Texas|TX|799
Boston|Massachusetts|MA|021
Portland|Oregon|OR|972
Las Vegas|Nevada|NV|891
Detroit|Michigan|MI|482
Memphis|Tennessee|TN|381
Louisville|Kentucky|KY|402
Baltimore|Maryland|MD|212
Milwaukee|Wisconsin|WI|532
Albuquerque|New Mexico|NM|871
Tucson|Arizona|AZ|857
Fresno|California|CA|937
Sacramento|California|CA|958
Kansas City|Missouri|MO|641
Atlanta|Georgia|GA|303
Omaha|Nebraska|NE|681
Colorado Springs|Colorado|CO|809
Raleigh|North Carolina|NC|276
Miami|Florida|FL|331
Minneapolis|Minnesota|MN|554
Tulsa|Oklahoma|OK|741
Wichita|Kansas|KS|672
New Orleans|Louisiana|LA|701
Cleveland|Ohio|OH|441
Honolulu|Hawaii|HI|968
Anchorage|Alaska|AK|995
Boise|Idaho|ID|837
Des Moines|Iowa|IA|503
Little Rock|Arkansas|AR|722
Salt Lake City|Utah|UT|841
Birmingham|Alabama|AL|352
Providence|Rhode Island|RI|029
Hartford|Connecticut|CT|061
Newark|New Jersey|NJ|071
Richmond|Virginia|VA|232
Charleston|West Virginia|WV|253
Columbia|South Carolina|SC|292
Jackson|Mississippi|MS|392
Sioux Falls|South Dakota|SD|571
Fargo|North Dakota|ND|581
Billings|Montana|MT|591
Cheyenne|Wyoming|WY|820
Burlington|Vermont|VT|054
Manchester|New Hampshire|NH|031
Portland|Maine|ME|041
Wilmington|Delaware|DE|198
Buffalo|New York|NY|142
Rochester|New York|NY|146
Pittsburgh|Pennsylvania|PA|152
Cincinnati|Ohio|OH|452
St. Louis|Missouri|MO|631
Madison|Wisconsin|WI|537
Tampa|Florida|FL|336
Orlando|Florida|FL|328
Knoxville|Tennessee|TN|379
Spokane|Washington|WA|992
Eugene|Oregon|OR|974
Reno|Nevada|NV|895";

/// The last field: areas and districts of postcodes.
pub(super) const PLACES_GB: &str = "London|Greater London||SW SE NW E N W
Birmingham|West Midlands||B
Manchester|Greater Manchester||M
Leeds|West Yorkshire||LS
Liverpool|Merseyside||L
Sheffield|South Yorkshire||S
Bristol|Bristol||BS
Newcastle upon Tyne|Tyne and Wear||NE
Nottingham|Nottinghamshire||NG
Leicester|Leicestershire||LE
Coventry|West Midlands||CV
Bradford|West Yorkshire||BD
Cardiff|South Glamorgan||CF
Edinburgh|Midlothian||EH
Glasgow|Lanarkshire||G
Belfast|County Antrim||BT
Aberdeen|Aberdeenshire||AB
Dundee|Angus||DD
Inverness|Inverness-shire||IV
Perth|Perthshire||PH
Swansea|West Glamorgan||SA
Newport|Gwent||NP
Brighton|East Sussex||BN
Portsmouth|Hampshire||PO
Southampton|Hampshire||SO
Plymouth|Devon||PL
Exeter|Devon||EX
Truro|Cornwall||TR
Bath|Somerset||BA
Taunton|Somerset||TA
Gloucester|Gloucestershire||GL
Oxford|Oxfordshire||OX
Reading|Berkshire||RG
Slough|Berkshire||SL
Milton Keynes|Buckinghamshire||MK
Luton|Bedfordshire||LU
Cambridge|Cambridgeshire||CB
Peterborough|Cambridgeshire||PE
Norwich|Norfolk||NR
Ipswich|Suffolk||IP
Colchester|Essex||CO
Chelmsford|Essex||CM
Canterbury|Kent||CT
Maidstone|Kent||ME
Guildford|Surrey||GU
Derby|Derbyshire||DE
Stoke-on-Trent|Staffordshire||ST
Wolverhampton|West Midlands||WV
Worcester|Worcestershire||WR
Hereford|Herefordshire||HR
Shrewsbury|Shropshire||SY
Chester|Cheshire||CH
Warrington|Cheshire||WA
Stockport|Greater Manchester||SK
Bolton|Greater Manchester||BL
Preston|Lancashire||PR
Blackpool|Lancashire||FY
Lancaster|Lancashire||LA
Carlisle|Cumbria||CA
Durham|County Durham||DH
Darlington|County Durham||DL
Sunderland|Tyne and Wear||SR
York|North Yorkshire||YO
Harrogate|North Yorkshire||HG
Hull|East Riding of Yorkshire||HU
Doncaster|South Yorkshire||DN
Wakefield|West Yorkshire||WF
Huddersfield|West Yorkshire||HD
Lincoln|Lincolnshire||LN
Northampton|Northamptonshire||NN
Salisbury|Wiltshire||SP
Swindon|Wiltshire||SN
Bournemouth|Dorset||BH
Dorchester|Dorset||DT";

pub(super) const COMPANIES: &str = "Northwind Bluepeak Redwood Silverline Brightwater Stonegate Clearview Ironbridge Oakfield \
    Summit Harborview Evergreen Crestline Maplewood Westbrook Fairhaven Greystone Lakeside Millstone Pinecrest Riverbend \
    Sunridge Thornhill Whitestone Ashford Beacon Cobalt Driftwood Elmstead Foxglove Granite Hazelmere Juniper Kestrel \
    Larkspur Meridian Nightingale Orchard Pembroke Quillon Rosewood Saffron Tidewater Umber Verity Willowby";

pub(super) const TOWN_STARTS: &str = "Ash Oak Maple Cedar Stone River Lake Brook Clear Spring Silver Green White Red Black \
    Fox Hawk Eagle Wolf Deer Fair Glen Mill Bridge King Queen North East West South New Old High Long";
pub(super) const TOWN_ENDS: &str = "ton ville field burgh ford haven port wood dale brook mont ridge side view land bury \
    mouth stead well worth combe hurst ham";
