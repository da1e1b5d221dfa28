"""The names that people bring from PyTorch, by section: what the conformance page is about.

The names of 141 public programs (tutorials, course notebooks, training scripts), the most used first. A name is
written as its section has it; `paths` says where PyTorch keeps it, from `torch` on.
"""

from dataclasses import dataclass, field

_MODULE, _OPTIMIZER, _SCHEDULE = "torch.nn.Module", "torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"
_OWNERS = {  # what a section's names are attributes of
    "tensor": ("torch.Tensor",),
    "methods": (_MODULE, _OPTIMIZER, _SCHEDULE),
    "init": ("torch.nn.init",),
    "data": ("torch.utils.data",),
    "distributions": ("torch.distributions",),
    "functions": ("torch",),
    "modules": ("torch.nn",),
    "functional": ("torch.nn.functional",),
    "optim": ("torch.optim",),
    "onemachine": ("torch",),
    "ops": ("torch", "torch.Tensor"),
}


@dataclass(frozen=True)
class Section:
    """A list of names: its key, its heading, and the names as one text."""

    key: str
    title: str
    text: str = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.text.split())

    def paths(self, name: str) -> tuple[str, ...]:
        """Where the name may stand: torch.Tensor.cumsum or torch.cumsum for the op cumsum."""
        if self.key == "onemachine":  # written `torch.cuda.is_available`, `nn.DataParallel`, `.cuda`, `M.share_memory`
            owner, _, rest = name.partition(".")
            return ({"": "torch.Tensor.", "M": f"{_MODULE}.", "nn": "torch.nn."}.get(owner, f"{owner}.") + rest,)
        if name == "optim.param_groups":
            return (f"{_OPTIMIZER}.param_groups",)
        return tuple(f"{owner}.{name}" for owner in _OWNERS[self.key])


_SECTIONS = (
    Section(
        "tensor",
        "Tensor methods and properties",
        """
        backward item shape view size data to mean sum transpose unsqueeze reshape device float detach numel numpy
        contiguous grad max requires_grad squeeze T dtype copy_ tolist masked_fill split cpu permute pow t clone dim
        argmax eq fill_ flatten zero_ expand ndim std type clamp exp repeat log nelement long masked_fill_ var
        view_as abs gather mm bool double log10 min normal_ repeat_interleave requires_grad_ scatter_ type_as add_
        all chunk cos cumsum div_ expand_as mul_ new_zeros norm sin uniform_ unique bmm div flip matmul relu
        retain_grad scatter softmax stride tanh topk add addcdiv_ addcmul_ any argmin bernoulli_ byte clip diag dot
        index_add_ index_fill_ index_select int is_contiguous logsumexp mT maximum mul narrow new_ones new_tensor
        nonzero short sigmoid sort sqrt square sub_ swapaxes tile unbind unsqueeze_
        """,
    ),
    Section(
        "methods",
        "Methods of modules, optimizers, schedules",
        """
        parameters zero_grad step eval train state_dict apply register_buffer load_state_dict named_parameters
        optim.param_groups training add_module forward modules named_modules requires_grad_ children named_children
        register_parameter
        """,
    ),
    Section(
        "init",
        "torch.nn.init",
        """
        normal_ zeros_ xavier_uniform_ constant_ ones_ uniform_ kaiming_uniform_ orthogonal_ xavier_normal_
        calculate_gain constant kaiming_normal kaiming_normal_ normal
        """,
    ),
    Section(
        "data",
        "torch.utils.data",
        """
        DataLoader Dataset RandomSampler TensorDataset Sampler Subset random_split ConcatDataset IterableDataset
        SequentialSampler BatchSampler default_collate
        """,
    ),
    Section(
        "distributions",
        "torch.distributions",
        """
        Categorical Uniform multinomial.Multinomial
        """,
    ),
    Section(
        "functions",
        "torch",
        """
        no_grad zeros cat ones tensor arange manual_seed randn save device tanh float32 long Tensor from_numpy load
        multinomial LongTensor rand stack max sum randint sqrt FloatTensor exp topk tril log matmul cos pow sin
        linspace triu zeros_like Generator empty argmax bfloat16 bmm full int64 mm normal set_printoptions sigmoid
        softmax autograd.Variable ones_like randperm unsqueeze float float16 inf inference_mode mean min sort abs
        diag dot flatten int32 randn_like relu rsqrt einsum eye gather meshgrid mv nonzero outer pi
        repeat_interleave where allclose argsort as_tensor autograd.grad bool clamp concatenate cumprod cumsum
        double linalg.lstsq roll set_grad_enabled split square squeeze transpose uint8 ByteTensor Size all
        autograd.Function chunk cosh diag_embed enable_grad erf float64 gt histogram hstack int16 inverse
        is_grad_enabled isfinite log1p lt maximum norm polar reshape short sign sinh std unbind unique var
        view_as_complex view_as_real
        """,
    ),
    Section(
        "modules",
        "torch.nn",
        """
        Module Linear Sequential Parameter Embedding ModuleList ReLU CrossEntropyLoss Dropout Conv2d LayerNorm
        MSELoss Tanh BatchNorm2d LazyLinear MaxPool2d ModuleDict utils.clip_grad_norm_ LSTM Softmax Sigmoid Flatten
        GELU LeakyReLU RNN AvgPool2d Identity ConvTranspose2d BCELoss BatchNorm1d GRU LazyConv2d LogSoftmax NLLLoss
        AdaptiveAvgPool2d Conv1d Dropout2d LazyBatchNorm1d LazyBatchNorm2d SiLU AdaptiveAvgPool1d AdaptiveMaxPool2d
        BCEWithLogitsLoss Embedding.from_pretrained GroupNorm Hardtanh InstanceNorm2d KLDivLoss L1Loss LSTMCell
        MultiheadAttention PixelShuffle RMSNorm ReflectionPad2d Softplus Transformer TransformerEncoder
        TransformerEncoderLayer TransformerDecoder TransformerDecoderLayer GRUCell RNNCell ELU Mish Hardswish
        LogSigmoid Softmin Dropout1d MaxPool1d AvgPool1d ConstantPad2d ZeroPad2d Upsample Bilinear EmbeddingBag
        SmoothL1Loss HuberLoss CosineSimilarity CosineEmbeddingLoss TripletMarginLoss MarginRankingLoss
        HingeEmbeddingLoss PoissonNLLLoss GaussianNLLLoss CTCLoss ParameterList ParameterDict Unflatten Fold Unfold
        """,
    ),
    Section(
        "functional",
        "torch.nn.functional",
        """
        softmax cross_entropy relu log_softmax scaled_dot_product_attention max_pool2d pad dropout linear silu
        avg_pool2d mse_loss nll_loss one_hot binary_cross_entropy conv2d layer_norm sigmoid
        binary_cross_entropy_with_logits smooth_l1_loss softplus adaptive_avg_pool2d elu interpolate rms_norm tanh
        """,
    ),
    Section(
        "optim",
        "torch.optim",
        """
        Adam SGD AdamW lr_scheduler.StepLR Adadelta LBFGS RMSprop Adagrad Optimizer lr_scheduler.CosineAnnealingLR
        lr_scheduler.ExponentialLR lr_scheduler.LambdaLR lr_scheduler.MultiStepLR Adamax NAdam RAdam Rprop ASGD Muon
        lr_scheduler.ReduceLROnPlateau lr_scheduler.OneCycleLR lr_scheduler.CosineAnnealingWarmRestarts
        lr_scheduler.LinearLR lr_scheduler.SequentialLR lr_scheduler.PolynomialLR
        """,
    ),
    Section(
        "onemachine",
        "What one machine answers for",
        """
        torch.cuda.is_available torch.accelerator.current_accelerator torch.accelerator.is_available .cuda
        nn.DataParallel torch.compile torch.cuda.manual_seed torch.cuda.manual_seed_all
        nn.parallel.DistributedDataParallel torch.cuda.set_device torch.distributed.init_process_group
        torch.cuda.synchronize torch.amp.autocast torch.backends.mps.is_available torch.backends.cudnn.benchmark
        torch.distributed.all_reduce torch.backends.cuda.matmul.allow_tf32 torch.backends.cudnn.allow_tf32
        torch.distributed.destroy_process_group torch.cuda.device_count torch.onnx.export
        torch.distributed.ReduceOp.SUM torch.multiprocessing.spawn torch.utils.data.distributed.DistributedSampler
        .pin_memory torch.cuda.is_bf16_supported torch.use_deterministic_algorithms torch.distributed.ReduceOp.AVG
        torch.set_float32_matmul_precision torch.cuda.empty_cache torch.cuda.FloatTensor nn.parallel.scatter
        M.share_memory torch.multiprocessing.Process torch.multiprocessing.set_start_method
        nn.NonDynamicallyQuantizableLinear torch.serialization.safe_globals .is_cuda nn.parallel.data_parallel
        torch.accelerator.device_count torch.accelerator.set_device_index torch.backends.cudnn.deterministic
        torch.cuda.amp.GradScaler torch.profiler.ProfilerActivity.CPU torch.profiler.ProfilerActivity.CUDA
        torch.profiler.profile torch.profiler.schedule torch.profiler.tensorboard_trace_handler torch.autocast
        torch.cuda.max_memory_allocated torch.cuda.reset_peak_memory_stats torch.mps.synchronize
        torch.version.__version__ .is_sparse torch.preserve_format torch.cuda.get_device_name torch.jit.script
        """,
    ),
    Section(
        "ops",
        "Ops, with gradients",
        """
        add sub mul div true_divide floor_divide remainder pow rsub neg abs exp log log1p log2 sqrt rsqrt square
        reciprocal sin cos tanh sigmoid erf sign floor ceil round clamp clamp_min maximum minimum lerp addcmul
        addcdiv eq ne lt le gt ge isclose isfinite isinf isnan logical_and logical_or logical_not where matmul mm
        bmm mv dot addmm baddbmm outer einsum tensordot sum mean prod var std var_mean amax amin max min argmax
        argmin all any logsumexp cumsum cumprod norm linalg.vector_norm topk sort argsort unique reshape view
        view_as permute transpose t T squeeze unsqueeze flatten unflatten expand expand_as broadcast_to repeat
        repeat_interleave tile cat stack hstack vstack chunk split split_with_sizes unbind narrow select flip roll
        movedim tril triu diag diagonal diag_embed meshgrid unfold contiguous clone __getitem__ gather scatter
        scatter_add index_select index_add index_put masked_fill masked_select take_along_dim nonzero arange
        linspace eye zeros ones full zeros_like ones_like full_like new_zeros softmax log_softmax nn.functional.relu
        nn.functional.leaky_relu nn.functional.elu nn.functional.gelu nn.functional.silu nn.functional.softplus
        nn.functional.hardtanh nn.functional.logsigmoid nn.functional.linear nn.functional.embedding
        nn.functional.one_hot nn.functional.normalize nn.functional.cosine_similarity nn.functional.conv1d
        nn.functional.conv2d nn.functional.conv_transpose2d nn.functional.max_pool1d nn.functional.max_pool2d
        nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.adaptive_avg_pool1d
        nn.functional.adaptive_avg_pool2d nn.functional.pad nn.functional.interpolate nn.functional.unfold
        nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm nn.functional.instance_norm
        nn.functional.rms_norm nn.functional.scaled_dot_product_attention nn.functional.mse_loss
        nn.functional.l1_loss nn.functional.smooth_l1_loss nn.functional.huber_loss nn.functional.cross_entropy
        nn.functional.nll_loss nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
        nn.functional.kl_div tan atan2 expm1 addmv inner linalg.norm linalg.inv linalg.det linalg.solve trace
        scatter_reduce nn.functional.relu6 nn.functional.selu nn.functional.glu nn.functional.prelu
        nn.functional.pixel_shuffle
        """,
    ),
)

SURFACE: dict[str, Section] = {section.key: section for section in _SECTIONS}
