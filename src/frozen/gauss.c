/* The normal table of SPEC.md appendix A: its upper half, from the middle outwards; g[255 - u] is
 * -g[u]. */
#include "frozen/frozen.h"

#define G(u, value) [u] = value, [255 - (u)] = -value
#define G4(u, a, b, c, d) G(u, a), G((u) + 1, b), G((u) + 2, c), G((u) + 3, d)

const double smol_gauss_table[SMOL_TABLE_ENTRIES] = {
    G4(128, 0x1.41a859c222cbdp-8, 0x1.e280793c47ef1p-7, 0x1.921c4f08333ecp-6, 0x1.198120d1a548cp-5),
    G4(132, 0x1.69fb050b77c7bp-5, 0x1.ba7dd036519cap-5, 0x1.0585bfefff175p-4, 0x1.2dd309bc08859p-4),
    G4(136, 0x1.5627c654bdbe5p-4, 0x1.7e84f7da91c00p-4, 0x1.a6eba1e6d2fddp-4, 0x1.cf5cc9ba378f1p-4),
    G4(140, 0x1.f7d9766c2a78dp-4, 0x1.1031588d78609p-3, 0x1.247cc28e5edc4p-3, 0x1.38cf8018e75c7p-3),
    G4(144, 0x1.4d2a195bd3c25p-3, 0x1.618d17eec4ba2p-3, 0x1.75f906ed205ddp-3, 0x1.8a6e7311b226fp-3),
    G4(148, 0x1.9eedead3131c3p-3, 0x1.b377fe80e9e43p-3, 0x1.c80d40621331cp-3, 0x1.dcae44d3c3ddbp-3),
    G4(152, 0x1.f15ba269b6f32p-3, 0x1.030af907bd7d7p-2, 0x1.0d6ee79579786p-2, 0x1.17d9ebe010420p-2),
    G4(156, 0x1.224c564b274a1p-2, 0x1.2cc678af5a26dp-2, 0x1.3748a66e5568ep-2, 0x1.41d33487c8861p-2),
    G4(160, 0x1.4c6679af3d933p-2, 0x1.5702ce62e6877p-2, 0x1.61a88d0370d70p-2, 0x1.6c5811ecf1611p-2),
    G4(164, 0x1.7711bb90fbf4ep-2, 0x1.81d5ea91fb179p-2, 0x1.8ca501dfde388p-2, 0x1.977f66d6362b5p-2),
    G4(168, 0x1.a265815bd98dap-2, 0x1.ad57bc042cb61p-2, 0x1.b85684322af5dp-2, 0x1.c3624a3d514e6p-2),
    G4(172, 0x1.ce7b81988d553p-2, 0x1.d9a2a0fb55d15p-2, 0x1.e4d8228d15bb1p-2, 0x1.f01c841315ad0p-2),
    G4(176, 0x1.fb7047211393ep-2, 0x1.0369f8a65e45ap-1, 0x1.0924063220ad7p-1, 0x1.0ee6935421868p-1),
    G4(180, 0x1.14b1e984ad4c0p-1, 0x1.1a8654b4c258ep-1, 0x1.20642370e0d29p-1, 0x1.264ba706203cfp-1),
    G4(184, 0x1.2c3d33a9ba891p-1, 0x1.323920a3410aep-1, 0x1.383fc879b4e4cp-1, 0x1.3e518923c230dp-1),
    G4(188, 0x1.446ec43b638e8p-1, 0x1.4a97df353ae10p-1, 0x1.50cd439bf4022p-1, 0x1.570f5f500f254p-1),
    G4(192, 0x1.5d5ea4cc7aafbp-1, 0x1.63bb8b706f9e7p-1, 0x1.6a268fcf104e5p-1, 0x1.70a0340557e20p-1),
    G4(196, 0x1.77290016f8c94p-1, 0x1.7dc18252db62dp-1, 0x1.846a4fc002a8bp-1, 0x1.8b240493b4b47p-1),
    G4(200, 0x1.91ef44b1e0210p-1, 0x1.98ccbc38d66f1p-1, 0x1.9fbd201997389p-1, 0x1.a6c12ebe10f72p-1),
    G4(204, 0x1.add9b0beeb4b4p-1, 0x1.b50779aaa526fp-1, 0x1.bc4b68e010462p-1, 0x1.c3a66a7e7c8bep-1),
    G4(208, 0x1.cb19786e3b099p-1, 0x1.d2a59b8483eb9p-1, 0x1.da4becc63f07bp-1, 0x1.e20d96cdb7afcp-1),
    G4(212, 0x1.e9ebd757e5d81p-1, 0x1.f1e800feb5a24p-1, 0x1.fa037d2699358p-1, 0x1.011fe7135fa20p+0),
    G4(216, 0x1.054f48da462c6p+0, 0x1.0990c1ce3d1d1p+0, 0x1.0de5406a2b489p+0, 0x1.124dc57a8a061p+0),
    G4(220, 0x1.16cb66168c03fp+0, 0x1.1b5f4ddfa110fp+0, 0x1.200ac19381eb1p+0, 0x1.24cf21ff78ce4p+0),
    G4(224, 0x1.29adef66c5376p+0, 0x1.2ea8cd71f102fp+0, 0x1.33c187c1efbbdp+0, 0x1.38fa1748406a6p+0),
    G4(228, 0x1.3e54a88d75393p+0, 0x1.43d3a31a121cap+0, 0x1.4979b2437533fp+0, 0x1.4f49cfb0944dep+0),
    G4(232, 0x1.5547500266884p+0, 0x1.5b75f22c1c26cp+0, 0x1.61d9f2332709dp+0, 0x1.6878204b737b6p+0),
    G4(236, 0x1.6f55fd9860a4dp+0, 0x1.7679e052315e9p+0, 0x1.7deb21bb1b47ap+0, 0x1.85b2594a27857p+0),
    G4(240, 0x1.8dd9a9e912db6p+0, 0x1.966d285ed125ap+0, 0x1.9f7b657fecffbp+0, 0x1.a9162c5e23159p+0),
    G4(244, 0x1.b3538e05d361cp+0, 0x1.be4f6463b156bp+0, 0x1.ca2d92ad56f9ep+0, 0x1.d71d7fb87010fp+0),
    G4(248, 0x1.e55fb25c8ce10p+0, 0x1.f54f5df0defb3p+0, 0x1.03b9e2263d768p+1, 0x1.0e516140da401p+1),
    G4(252, 0x1.1b272009f7875p+1, 0x1.2ba999ba5f18ap+1, 0x1.436fc9ac5b5f5p+1, 0x1.724a956cf1f40p+1),
};
