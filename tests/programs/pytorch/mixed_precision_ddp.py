"""A training script for one machine or many: torchrun's variables, DDP, AMP, compile, EMA, SWA, clipping, the profiler."""

import argparse
import copy
import logging
import os
import sys

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch.amp import GradScaler, autocast
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
logger = logging.getLogger(__name__)


def parse_args():
    p = argparse.ArgumentParser("one machine, many tricks")
    p.add_argument("--epochs", default=3, type=int)
    p.add_argument("--batch-size", default=16, type=int)
    p.add_argument("--lr", default=0.05, type=float)
    p.add_argument("--accum", default=2, type=int)
    p.add_argument("--clip", default=1.0, type=float)
    p.add_argument("--ema-decay", default=0.9, type=float)
    p.add_argument("--amp", action=argparse.BooleanOptionalAction, default=False)
    p.add_argument("--seed", default=0, type=int)
    return p.parse_args(["--amp"])


def setup():
    os.environ.setdefault("MASTER_ADDR", "localhost")
    os.environ.setdefault("MASTER_PORT", "29533")
    os.environ.setdefault("RANK", "0")
    os.environ.setdefault("WORLD_SIZE", "1")
    dist.init_process_group("gloo", rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))


class Net(nn.Module):
    def __init__(self, width=32, use_checkpoint=False):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(8, width), nn.BatchNorm1d(width), nn.SiLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU()) for _ in range(2)
        )
        self.head = nn.Linear(width, 3)
        self.use_checkpoint = use_checkpoint

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if self.use_checkpoint and self.training else block(x))
        return self.head(x)


class AverageMeter(object):
    """Computes and stores the average and current value"""

    def __init__(self, name, fmt=":f"):
        self.name, self.fmt = name, fmt
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def __str__(self):
        return ("{name} {val" + self.fmt + "} ({avg" + self.fmt + "})").format(**self.__dict__)


class ModelEMA:
    def __init__(self, model, decay):
        self.module = copy.deepcopy(model).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for e, m in zip(self.module.state_dict().values(), model.state_dict().values()):
            if e.dtype.is_floating_point:
                e.mul_(self.decay).add_(m, alpha=1 - self.decay)
            else:
                e.copy_(m)


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        batch_size = target.size(0)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / batch_size) for k in topk]


def reduce_tensor(tensor):
    rt = tensor.clone()
    dist.all_reduce(rt, op=dist.ReduceOp.SUM)
    rt /= dist.get_world_size()
    return rt


def evaluate(model, loader):
    model.eval()
    losses, top1 = AverageMeter("Loss", ":.4f"), AverageMeter("Acc@1", ":6.2f")
    with torch.inference_mode():
        for x, y in loader:
            out = model(x)
            losses.update(F.cross_entropy(out, y).item(), x.size(0))
            top1.update(accuracy(out, y)[0].item(), x.size(0))
    model.train()
    return losses.avg, top1.avg


def main():
    args = parse_args()
    setup()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    device = (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if torch.cuda.is_available() else torch.device("cpu")
    )
    logger.info("rank %d of %d on %s, backend %s", dist.get_rank(), dist.get_world_size(), device, dist.get_backend())

    centres = torch.randn(3, 8)
    labels = torch.arange(192) % 3
    data = centres[labels] + 0.9 * torch.randn(192, 8)
    dataset = TensorDataset(data[:144], labels[:144])
    sampler = DistributedSampler(dataset, shuffle=True, seed=args.seed)
    loader = DataLoader(
        dataset, batch_size=args.batch_size, sampler=sampler, num_workers=0, pin_memory=False, drop_last=True
    )
    test_loader = DataLoader(TensorDataset(data[144:], labels[144:]), batch_size=48)

    model = Net(use_checkpoint=True).to(device)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model) if device.type == "cuda" else model
    model = DDP(model, device_ids=[device.index] if device.type == "cuda" else None)
    ema = ModelEMA(model.module, args.ema_decay)
    averaged = AveragedModel(model.module, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, total_steps=args.epochs * (len(loader) // args.accum + 1), pct_start=0.3
    )
    scaler = GradScaler(device.type, enabled=args.amp and device.type == "cuda")
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1).to(device)
    for epoch in range(args.epochs):
        sampler.set_epoch(epoch)
        model.train()
        losses = AverageMeter("Loss", ":.4f")
        optimizer.zero_grad(set_to_none=True)
        for i, (x, y) in enumerate(loader):
            x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
            last = (i + 1) % args.accum == 0 or i + 1 == len(loader)
            with autocast(device.type, enabled=False):
                loss = criterion(model(x), y) / args.accum
            if last:
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip, error_if_nonfinite=True)
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad(set_to_none=True)
                scheduler.step()
                ema.update(model.module)
                averaged.update_parameters(model.module)
            else:
                with model.no_sync():
                    scaler.scale(loss).backward()
            losses.update(reduce_tensor(loss.detach()).item() * args.accum, x.size(0))
        test_loss, acc = evaluate(model, test_loader)
        logger.info(
            "epoch %d %s norm %.4f lr %.5f test %.4f acc %.2f",
            epoch,
            losses,
            norm,
            scheduler.get_last_lr()[0],
            test_loss,
            acc,
        )
    logger.info("ema test %.4f acc %.2f", *evaluate(ema.module, test_loader))
    update_bn(loader, averaged)
    logger.info("averaged test %.4f acc %.2f after %d updates", *evaluate(averaged, test_loader), averaged.n_averaged)

    swa_scheduler = SWALR(optimizer, swa_lr=0.05, anneal_epochs=2)
    for _ in range(3):
        optimizer.step()
        swa_scheduler.step()
    logger.info("swa lr %s", [round(r, 5) for r in swa_scheduler.get_last_lr()])

    # with bfloat16 where autocast asks for it: only what does not hang on the last digits is printed
    compiled = torch.compile(model.module)
    with autocast("cpu", dtype=torch.bfloat16):
        out = compiled(data[:4])
        logger.info("autocast: %s, classes %s", tuple(out.shape), out.float().argmax(-1).tolist())
    half = copy.deepcopy(model.module).to(torch.bfloat16)
    logger.info("%s %s", {p.dtype for p in half.parameters()}, torch.isfinite(half(data[:2].bfloat16())).all())

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        with record_function("model_inference"):
            model(data[:8])
    logger.info("profiled: %s", any("model_inference" in e.key for e in prof.key_averages()))

    state = {k: v.cpu() for k, v in model.state_dict().items()}
    logger.info("%s ... %d entries", list(state)[:2], len(state))
    plain = Net()
    plain.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
    wrapped = nn.DataParallel(plain)
    wrapped.load_state_dict(state)
    a, b = wrapped.eval()(data[:3]), model.eval()(data[:3])
    logger.info("same %s %s", torch.equal(a, b), [round(v, 2) for v in a[0].tolist()])
    gathered = [torch.zeros(2) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, torch.tensor([1.0, 2.0]))
    dist.barrier()
    logger.info("gathered %s, %s", gathered, dist.is_initialized())
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
