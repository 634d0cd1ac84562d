/* Made by adamw.py with PyTorch 1.13.0a0: do not edit. */
/* clang-format off */
enum { GOLDEN_N = 8, GOLDEN_STEPS = 5 };
static const double GOLDEN_GRAD_SCALE = 0.5;
static const double GOLDEN_LR[GOLDEN_STEPS] = {0.01, 0.02, 0.03, 0.02, 0.01};
static const float GOLDEN_START[GOLDEN_N] = {-0x1.34c110p+0f, 0x1.f934e4p-5f, 0x1.29c48cp+0f, -0x1.80366ap+0f, -0x1.982b08p+0f, -0x1.3278fep-6f, -0x1.10f55ep+1f, -0x1.0dd302p-1f};
static const float GOLDEN_GRAD[GOLDEN_STEPS][GOLDEN_N] = {
    {-0x1.a9b11cp-14f, 0x1.899afap-13f, -0x1.802082p-9f, -0x1.2d4194p-13f, -0x1.a62e12p-2f, 0x1.08732ep-2f, -0x1.aef05cp+4f, 0x1.028c66p+6f},
    {0x1.1b00eap-15f, 0x1.8c26eap-11f, -0x1.b35c5ep-8f, -0x1.5382c8p-7f, 0x1.934398p-4f, -0x1.af76bcp+0f, 0x1.76d726p+4f, 0x1.fc2fd4p+4f},
    {-0x1.93d924p-13f, -0x1.5c63fap-13f, 0x1.7799b4p-9f, -0x1.469aa2p-7f, 0x1.a6ed98p-5f, 0x1.1996f4p+1f, 0x1.1f7decp+0f, -0x1.353550p+6f},
    {0x1.231decp-17f, 0x1.87f5b4p-11f, 0x1.1ee80ap-11f, -0x1.515844p-8f, -0x1.3b7f20p-1f, -0x1.a58d60p-3f, 0x1.975462p+3f, 0x1.85f698p+7f},
    {-0x1.653aaep-16f, -0x1.9fc6f2p-10f, 0x1.7e5428p-8f, -0x1.098f08p-4f, 0x1.3f079ep-5f, 0x1.08e54cp+1f, 0x1.bc7db6p+3f, -0x1.e775c2p+4f}};
static const float GOLDEN_ADAMW[GOLDEN_STEPS][GOLDEN_N] = {
    {-0x1.324e8cp+0f, 0x1.aeab96p-5f, 0x1.2c033cp+0f, -0x1.7d94cap+0f, -0x1.953336p+0f, -0x1.d5fe54p-6f, -0x1.0f67d0p+1f, -0x1.12aca8p-1f},
    {-0x1.300ebap+0f, 0x1.239398p-5f, 0x1.30393cp+0f, -0x1.7904cap+0f, -0x1.91e910p+0f, -0x1.07b6f0p-6f, -0x1.0ed1bap+1f, -0x1.1bb7eep-1f},
    {-0x1.2a7f0cp+0f, 0x1.49688ap-6f, 0x1.32bf5ap+0f, -0x1.715b42p+0f, -0x1.8e6c98p+0f, -0x1.6a1330p-6f, -0x1.0e08bap+1f, -0x1.1b343cp-1f},
    {-0x1.277c54p+0f, 0x1.a19230p-8f, 0x1.33d192p+0f, -0x1.6c3c14p+0f, -0x1.8a887cp+0f, -0x1.9205fcp-6f, -0x1.0e04a6p+1f, -0x1.1fd142p-1f},
    {-0x1.2611a4p+0f, 0x1.e2d6f8p-8f, 0x1.333e3cp+0f, -0x1.6a2a76p+0f, -0x1.88e35ep+0f, -0x1.d3f844p-6f, -0x1.0e33e0p+1f, -0x1.2159b2p-1f}};
static const float GOLDEN_M[GOLDEN_N] = {-0x1.62c5dep-17f, -0x1.3992eap-16f, 0x1.8aaa64p-14f, -0x1.172440p-8f, -0x1.1379f6p-5f, 0x1.0af3d8p-3f, 0x1.487e86p+0f, 0x1.d97d18p+2f};
static const float GOLDEN_V[GOLDEN_N] = {0x1.29f4bep-31f, 0x1.816ffap-25f, 0x1.2273d6p-20f, 0x1.ce73e0p-15f, 0x1.a2f130p-8f, 0x1.1e3958p-3f, 0x1.19e33ep+4f, 0x1.23e9a0p+9f};
static const float GOLDEN_SGD[GOLDEN_STEPS][GOLDEN_N] = {
    {-0x1.3471fcp+0f, 0x1.f8b196p-5f, 0x1.297948p+0f, -0x1.7fd402p+0f, -0x1.973b72p+0f, -0x1.475278p-6f, -0x1.fee55ap+0f, -0x1.b30682p-1f},
    {-0x1.33d416p+0f, 0x1.f79f56p-5f, 0x1.28e554p+0f, -0x1.7f08b2p+0f, -0x1.96ab76p+0f, -0x1.943ecep-9f, -0x1.1cec9ep+1f, -0x1.2a6338p+0f},
    {-0x1.32e77cp+0f, 0x1.f621c8p-5f, 0x1.27fe7ep+0f, -0x1.7dd8bap+0f, -0x1.95a5e4p+0f, -0x1.278400p-5f, -0x1.1e39c8p+1f, -0x1.4e136ep-9f},
    {-0x1.324a5ap+0f, 0x1.f51102p-5f, 0x1.276696p+0f, -0x1.7d11dap+0f, -0x1.93425cp+0f, -0x1.161000p-5f, -0x1.2df24ap+1f, -0x1.f3cddep+0f},
    {-0x1.31fbf0p+0f, 0x1.f4a15ep-5f, 0x1.27190ep+0f, -0x1.7c9b0ep+0f, -0x1.92e7e2p+0f, -0x1.6a8d12p-5f, -0x1.3688c8p+1f, -0x1.cc4ebcp+0f}};
/* clang-format on */
