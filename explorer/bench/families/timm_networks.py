"""Small variants of timm's architectures, of each kind at least one."""

from functools import partial

import torch

from explorer.bench.families.family import CLASSES, PIXELS, Builder, Family, Made, package

# They are told the size of their images.
_SIZED = """
    vit_tiny_patch16_224 vit_small_patch32_224 vit_relpos_small_patch16_224 vit_srelpos_small_patch16_224
    vit_tiny_r_s16_p8_224 vit_base_patch16_clip_224 vit_wee_patch16_reg1_gap_256 vit_little_patch16_reg4_gap_256
    vit_pwee_patch16_reg1_gap_256 vit_small_patch14_dinov2 vit_small_patch14_reg4_dinov2 vit_small_patch16_dinov3
    vit_base_patch16_siglip_224 vit_betwixt_patch16_rope_reg4_gap_256 vit_small_patch16_rope_224
    vit_small_patch16_rope_mixed_224 samvit_base_patch16_224 flexivit_small naflexvit_base_patch16_gap
    deit_tiny_patch16_224 deit_tiny_distilled_patch16_224 deit3_small_patch16_224 eva02_tiny_patch14_224
    beit_base_patch16_224 beitv2_base_patch16_224 cait_xxs24_224 convit_tiny tnt_s_patch16_224 volo_d1_224
    xcit_nano_12_p16_224 visformer_tiny pit_ti_224 pit_ti_distilled_224 vitamin_small_224 hiera_tiny_224
    swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 swinv2_cr_tiny_ns_224 twins_pcpvt_small twins_svt_small
    gcvit_xxtiny mvitv2_tiny nest_tiny sequencer2d_s
    mixer_s32_224 resmlp_12_224 gmlp_ti16_224
    levit_128s levit_conv_128s efficientvit_m0 efficientformer_l1 efficientformerv2_s0 swiftformer_xs
    mobilevit_xxs mobilevitv2_050 coat_tiny coat_lite_tiny
    maxvit_pico_rw_256 maxvit_tiny_tf_224 maxxvit_rmlp_nano_rw_256 coatnet_nano_rw_224 coatnet_rmlp_nano_rw_224
    coatnext_nano_rw_224
    gernet_s gcresnet33ts seresnet33ts bat_resnext26ts lambda_resnet26t halonet26t botnet26t_256 sehalonet33ts
    lamhalobotnet50ts_256 regnetz_b16 repvit_m0_9 repvgg_a0 mobileone_s0
""".split()
_FREE = """
    pvt_v2_b0 pvt_v2_b2_li poolformer_s12 poolformerv2_s12 caformer_s18 convformer_s18 crossvit_tiny_240 davit_tiny
    focalnet_tiny_srf tiny_vit_5m_224 edgenext_xx_small nextvit_small shvit_s1 efficientvim_m1 efficientvit_b0
    iformer_t mambaout_femto
    convnext_atto convnextv2_atto convnext_pico_ols convnext_zepto_rms inception_next_atto convmixer_768_32
    fasternet_t0 starnet_s1 rdnet_tiny fastvit_t8
    mobilenetv1_100 mobilenetv2_050 mobilenetv3_small_050 mobilenetv4_conv_small_050 mobilenetv4_hybrid_medium
    mobilenet_edgetpu_v2_xs efficientnet_b0 efficientnet_lite0 efficientnet_es efficientnetv2_rw_t
    tf_efficientnetv2_b0 efficientnet_cc_b0_4e efficientnet_b0_gn efficientnet_blur_b0 mixnet_s fbnetc_100 fbnetv3_b
    spnasnet_100 mnasnet_small tinynet_e lcnet_035 hardcorenas_a ghostnet_050 ghostnetv3_050 repghostnet_050
    rexnet_100 rexnetr_100
    resnet10t resnet14t resnet18d resnet26 resnetblur50 resnetaa34d resnet50_gn resnetv2_18 resnetv2_50x1_bit
    resnetrs50 resnext50_32x4d wide_resnet50_2 seresnet18 legacy_seresnet18 ecaresnet26t ecaresnet50t skresnet18
    resnest14d res2net50_26w_4s tresnet_m
    nfnet_f0 dm_nfnet_f0 eca_nfnet_l0 nf_resnet26 nf_regnet_b0 nf_ecaresnet26
    regnetx_002 regnety_002 regnetz_005 regnetv_040
    densenet121 densenetblur121d dla34 dla46x_c dpn48b dpn68 hrnet_w18_small selecsls42b ese_vovnet19b_dw vovnet39a
    cspresnet50 cspdarknet53 cs3darknet_s darknet17 darknet53 hgnet_tiny hgnetv2_b0
    inception_v3 inception_v4 inception_resnet_v2 xception41 legacy_xception
""".split()
_PIXELS = {
    "inception_v3": 96, "inception_v4": 96, "inception_resnet_v2": 96, "lamhalobotnet50ts_256": 128,
    "efficientformer_l1": 224, "bat_resnext26ts": 256, "halonet26t": 256, "sehalonet33ts": 256,
}  # fmt: skip


def _made(name: str, *, sized: bool) -> Made:
    pixels = _PIXELS.get(name, PIXELS)
    size = {"img_size": pixels} if sized else {}
    return package("timm").create_model(name, num_classes=CLASSES, **size), torch.randn(2, 3, pixels, pixels)


_BUILDERS: dict[str, Builder] = {
    **{name: partial(_made, name, sized=True) for name in _SIZED},
    **{name: partial(_made, name, sized=False) for name in _FREE},
}
TIMM = Family("timm", _BUILDERS, package="timm")
